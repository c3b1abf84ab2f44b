"""Knocks at TCP ports: `knock.py ADDRESS:PORT[-PORT]...` prints `ADDRESS:PORT open|refused|silent`, one a line."""

import asyncio
import sys

PATIENCE = 5  # seconds; a port that is refused says so at once


async def knock(address: str, port: int, at_once: asyncio.Semaphore) -> str:
    async with at_once:
        try:
            _, writer = await asyncio.wait_for(asyncio.open_connection(address, port), PATIENCE)
        except ConnectionRefusedError:
            return f"{address}:{port} refused"
        except (OSError, asyncio.TimeoutError):
            return f"{address}:{port} silent"
        writer.close()
        return f"{address}:{port} open"


async def main(targets: list[str]) -> None:
    at_once = asyncio.Semaphore(500)
    knocks = []
    for address, _, ports in (target.partition(":") for target in targets):
        first, _, last = ports.partition("-")
        knocks += [knock(address, port, at_once) for port in range(int(first), int(last or first) + 1)]
    print(*await asyncio.gather(*knocks), sep="\n")


asyncio.run(main(sys.argv[1:]))
