"""Tests of runs on Fly machines, and of the stand-in for Fly that they use."""
