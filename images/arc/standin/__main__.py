"""The container's main process."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys

from standin.archive import Archive
from standin.settings import Settings, configure_log, yaml_option
from standin.web import serve

log = logging.getLogger("standin")


async def run(settings: Settings) -> int:
    """Boot and serve until TERM (exit code 0) or the end of Orthanc (1)."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[int] = loop.create_future()

    def end(code: int) -> None:
        if not ended.done():
            ended.set_result(code)

    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, end, 0)

    def orthanc_died() -> None:
        loop.call_soon_threadsafe(end, 1)

    archive = Archive(settings, orthanc_died)
    runner = await serve(archive)

    async def boot() -> None:
        try:
            await asyncio.to_thread(archive.boot)
        except BaseException:
            log.exception("boot failed")
            end(1)
            raise

    booting = asyncio.create_task(boot())
    code = await ended
    booting.cancel()
    log.info("stopping")
    await asyncio.gather(runner.cleanup(), asyncio.to_thread(archive.end))
    return code


def main() -> int:
    """Return the exit code: 1 for a configuration that is refused."""
    try:
        configure_log(yaml_option(sys.argv[1:]))
        settings = Settings.from_environment()
    except (ValueError, OSError) as error:
        print(f"arc stand-in: {error}", file=sys.stderr)
        return 1
    with asyncio.Runner() as runner:
        code = runner.run(run(settings))
        log.info("stopped")
        logging.shutdown()
        # Threads may still wait for LDAP or a peer; nothing of theirs is worth the stop's two seconds.
        os._exit(code)


if __name__ == "__main__":
    sys.exit(main())
