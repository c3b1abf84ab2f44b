"""Tries TCP ports: `port_scan.py ADDRESS:PORT[-PORT]...` prints `ADDRESS:PORT open|refused|silent`, one a line."""

import asyncio
import sys

LIMIT = 5  # seconds; a port that refuses does so at once


async def scan(address: str, port: int, limit: asyncio.Semaphore) -> str:
    async with limit:
        try:
            _, writer = await asyncio.wait_for(asyncio.open_connection(address, port), LIMIT)
        except ConnectionRefusedError:
            return f"{address}:{port} refused"
        except (OSError, asyncio.TimeoutError):
            return f"{address}:{port} silent"
        writer.close()
        return f"{address}:{port} open"


async def main(targets: list[str]) -> None:
    limit = asyncio.Semaphore(500)
    scans = []
    for address, _, ports in (target.partition(":") for target in targets):
        first, _, last = ports.partition("-")
        scans += [scan(address, port, limit) for port in range(int(first), int(last or first) + 1)]
    print(*await asyncio.gather(*scans), sep="\n")


asyncio.run(main(sys.argv[1:]))
