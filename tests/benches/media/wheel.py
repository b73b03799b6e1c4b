"""Sessions on Google's engine, as the room library's wheel carries it, told what to do by JSON lines on stdin.

The same language as `sessions.rs`: `{"do": "join", "url": …, "tokens": […]}`, `{"do": "act", "what": "rest"}` (or
`encode`, `decode`), `{"do": "tell"}`. Each is answered by one line. The one argument names a file with the sound to
send: 16-bit mono at 24 kHz. Python has little to do: sound is handed over in pieces of 200 ms and taken in pieces of
100. It ends with its stdin. Not called after the engine: `google` is a package that the wheel needs.
"""

import asyncio
import json
import sys

from livekit import rtc

RATE = 24_000
PIECE = RATE // 5
QUEUE_MS = 400
BITRATE = 24_000
HEARD_MS = 100
TOGETHER = 8


class Session:
    """One participant in a room of its own."""

    def __init__(self, number):
        self.number = number
        self.room = rtc.Room()
        self.tracks = []
        self.source = None
        self.work = None

    async def join(self, url, token):
        self.room.on("track_subscribed", lambda track, *_: self.tracks.append(track))
        await self.room.connect(url, token)

    async def begin(self, what, sound):
        await self.end()
        if what == "encode":
            await self.publish()
            self.work = asyncio.create_task(self.speak(sound))
        if what == "decode":
            self.work = asyncio.create_task(self.listen())

    async def end(self):
        if self.work is None:
            return
        self.work.cancel()
        await asyncio.gather(self.work, return_exceptions=True)
        self.work = None
        if self.source is not None:
            # A source that waits for sound sends silence.
            await self.room.local_participant.unpublish_track(self.publication.sid)
            await self.source.aclose()
            self.source = None

    async def publish(self):
        self.source = rtc.AudioSource(RATE, 1, queue_size_ms=QUEUE_MS)
        track = rtc.LocalAudioTrack.create_audio_track("voice", self.source)
        options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
        options.audio_encoding.max_bitrate = BITRATE
        options.dtx = False
        options.red = False
        self.publication = await self.room.local_participant.publish_track(track, options)

    async def speak(self, sound):
        size = 2 * PIECE
        pieces = [sound[at : at + size] for at in range(0, len(sound) - size + 1, size)]
        place = 7 * self.number
        while True:
            piece = pieces[place % len(pieces)]
            await self.source.capture_frame(rtc.AudioFrame(piece, RATE, 1, PIECE))
            place += 1

    async def listen(self):
        stream = rtc.AudioStream(self.tracks[0], sample_rate=RATE, num_channels=1, frame_size_ms=HEARD_MS)
        try:
            async for _ in stream:
                pass
        finally:
            await stream.aclose()


class Sessions:
    """All of them."""

    def __init__(self, sound):
        self.sound = sound
        self.all = []
        self.now = "rest"

    async def join(self, url, tokens):
        for at in range(0, len(tokens), TOGETHER):
            new = [Session(len(self.all) + n) for n in range(len(tokens[at : at + TOGETHER]))]
            joins = [session.join(url, token) for session, token in zip(new, tokens[at:])]
            await asyncio.gather(*joins)
            self.all += new
        return {"joined": len(self.all)}

    async def act(self, what):
        if what != self.now:
            self.now = what
            await asyncio.gather(*(session.begin(what, self.sound) for session in self.all))
        return {}

    async def tell(self):
        return {}


async def main():
    with open(sys.argv[1], "rb") as file:
        sessions = Sessions(file.read())
    lines = asyncio.StreamReader(limit=1 << 24)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while line := await lines.readline():
        order = json.loads(line)
        try:
            answer = await getattr(sessions, order.pop("do"))(**order)
        except Exception as error:  # told to whoever asked
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


asyncio.run(main())
