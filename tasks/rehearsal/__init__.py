"""Run migrations on scratch databases, before they run on real data: verification, crash tests, drift.

A scratch database is what Prisma calls a shadow database and Atlas a dev database: created for the rehearsal, dropped afterwards.
Imports point downwards: crash_test, verify, drift; then sql_diff, replay, rows, scratch; then the modules of this package.
"""
