"""Fly.io for tests: a stand-in `fly` program, and machines behind a real SSH server.

    def test_something(fly: FlyWorld, database: Database, project: Project) -> None:
        machine, = fly.add_app("gaia-gateway-staging", database, files=project.root)
        project.inv("db.migrate", "--env=staging", env=fly.env, check=0)

The SSH server is OpenSSH where it is installed and accepts root, and paramiko's elsewhere.

fly.env               for the process under test: PATH with `fly` first, HOME (an access to its .ssh fails the test),
                      FLY_ACCESS_TOKEN, FLY_APP_<ENVIRONMENT> of each app
fly.add_app           an app and its machines: database, org, machines=10, and the arguments of add_machine
fly.add_machine       one more: image=Image(has_app=False), Image(packages=()), files=, variables=, starts_in_app=,
                      disk_megabytes=, region=, state=, group=, release=, host_status=
fly.add_release_machine       the machine of a release command, which the list contains too
fly.add_host          a database in the private network, reached through `fly proxy`
fly.add_token         a token with fewer rights: deploy, ssh, readonly
fly.fail, hang, garble, add_noise, limit_certificates, clear_faults     faults of `fly`
fly.proxies, kill_proxy, freeze_proxy     the running proxies
fly.calls             the arguments of each call of `fly`
fly.machine, machines of an app; each one has
    .app              the folder that stands for /app; on the machine the variable APP_DIR names it
    .folder.temporary the folder that stands for /tmp; on the machine TMPDIR names it
    .commands, .connections, .processes(), .kill(), .run_command()        what ran and runs on the machine
    .stop, refuse(times), lose_logins(times), fall_silent, change_host_key    faults of the machine
    .deploy(files), edit(file, old, new), change_environment, change_record, start_in     another image
    .fill_disk        with disk_megabytes
"""

from tests.kit.fly.fixtures import fly, new_database

__all__ = ["fly", "new_database"]
