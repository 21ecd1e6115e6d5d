"""
A chat server with known faults, by which the load generator shows that it sees them.

The first reader gets everything. The second loses every tenth message, the third gets every tenth twice, to the
fourth every tenth comes after the next one. What goes out is cut in the middle of a message.
"""

import asyncio
import sys

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

readers: list[asyncio.StreamWriter] = []
late: list[bytes] = []
count = 0


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while head := await reader.readuntil(b"\r\n\r\n"):
        if head.startswith(b"GET"):
            writer.write(HEAD)
            readers.append(writer)
            await reader.read()
            return
        length = int(head.lower().partition(b"content-length:")[2].split()[0])
        await say(b"data: %b\n\n" % await reader.readexactly(length))
        writer.write(ANSWER)


async def say(event: bytes) -> None:
    global count
    count += 1
    is_tenth = count % 10 == 0
    complete, loses, repeats, swaps = readers
    first = event.find(b"~") + 11
    complete.write(event[:first])
    await asyncio.sleep(0.001)
    complete.write(event[first:])
    loses.write(b"" if is_tenth else event)
    repeats.write(event * (1 + is_tenth))
    if is_tenth:
        late.append(event)
    else:
        swaps.write(event + b"".join(late))
        late.clear()


async def main() -> None:
    server = await asyncio.start_server(serve, "127.0.0.1", int(sys.argv[1]))
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
