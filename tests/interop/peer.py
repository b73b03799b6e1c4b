"""A participant on Google's engine, told what to do by JSON lines on stdin.

Each line `{"id": 1, "do": "say", …}` is answered by one line `{"id": 1, …}` on stdout, with `error` when it
failed. Sound is 16-bit mono at 24 kHz, in base64. This program records and does not judge: the ears belong to
whoever drives it. It ends with its stdin.
"""

import asyncio
import base64
import json
import sys

from livekit import rtc

RATE = 24_000
FRAME = RATE // 100
TOPIC = "interop"
# Sound that waits in the microphone: more would make a speaker late.
QUEUE_MS = 100
# A line holds a few seconds of sound.
LONGEST_LINE = 16 * 1024 * 1024


def sealing(key, keys):
    """Options for end-to-end encryption; none without keys."""
    if keys is not None:
        return rtc.E2EEOptions(key_provider_options=rtc.KeyProviderOptions(failure_tolerance=10))
    if key is None:
        return None
    # Without a number of failures to bear, this engine does not tell of any.
    keys = rtc.KeyProviderOptions(shared_key=key.encode(), ratchet_window_size=0, failure_tolerance=10)
    return rtc.E2EEOptions(key_provider_options=keys)


class Peer:
    """One participant with a microphone, and what it noticed."""

    def __init__(self):
        self.room = rtc.Room()
        self.heard = bytearray()
        self.packets = []
        self.texts = []
        self.mutes = []
        self.lost_tracks = 0
        self.tracks = 0
        self.reconnected = 0
        self.told = ""
        self.unopened = 0
        self.followed = 0
        self.tasks = set()

    async def join(self, url, token, single, key, keys):
        self.room.on("track_subscribed", self.on_track)
        self.room.on("track_unsubscribed", self.on_lost_track)
        self.room.on("track_muted", lambda who, _: self.on_mute(who, True))
        self.room.on("track_unmuted", lambda who, _: self.on_mute(who, False))
        self.room.on("data_received", self.on_packet)
        self.room.on("reconnected", self.on_reconnected)
        self.room.on("e2ee_state_changed", self.on_sealing)
        self.room.register_text_stream_handler(TOPIC, self.on_text)
        encryption = sealing(key, keys)
        await self.room.connect(url, token, rtc.RoomOptions(single_peer_connection=single, encryption=encryption))
        # Only a room has somewhere to put them.
        for whose, key in keys or []:
            await self.set_key(whose, key, 0)
        self.source = rtc.AudioSource(RATE, 1, queue_size_ms=QUEUE_MS)
        self.track = rtc.LocalAudioTrack.create_audio_track("microphone", self.source)
        options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
        await self.room.local_participant.publish_track(self.track, options)

    async def say(self, pcm):
        samples = base64.b64decode(pcm)
        size = 2 * FRAME
        for at in range(0, len(samples), size):
            piece = samples[at : at + size].ljust(size, b"\0")
            await self.source.capture_frame(rtc.AudioFrame(piece, RATE, 1, FRAME))
        await self.source.wait_for_playout()

    async def listen(self, since):
        pcm = bytes(self.heard[2 * since :])
        return {"pcm": base64.b64encode(pcm).decode(), "position": len(self.heard) // 2}

    async def mute(self, on):
        if on:
            self.track.mute()
        else:
            self.track.unmute()

    async def send(self, payload, reliable):
        local = self.room.local_participant
        await local.publish_data(base64.b64decode(payload), reliable=reliable, topic=TOPIC)

    async def write(self, text):
        await self.room.local_participant.send_text(text, topic=TOPIC)

    async def reconnect(self, whole):
        """Anew, or only the signals with a restart of ICE."""
        kind = rtc.SimulateScenarioKind
        await self.room.simulate_scenario(kind.SIMULATE_FULL_RECONNECT if whole else kind.SIMULATE_SIGNAL_RECONNECT)

    async def set_key(self, whose, key, at):
        """Its own is used from now on."""
        manager = self.room.e2ee_manager
        manager.key_provider.set_key(whose, key.encode(), at)
        if whose == self.room.local_participant.identity:
            for cryptor in manager.frame_cryptors():
                if cryptor.participant_identity == whose:
                    cryptor.set_key_index(at)

    async def ratchet(self, at):
        self.room.e2ee_manager.key_provider.ratchet_key(self.room.local_participant.identity, at)

    async def inbox(self):
        return {"packets": self.packets, "texts": self.texts}

    async def facts(self):
        sends, receives = await self.codecs()
        return {
            "tracks": self.tracks,
            "lost_tracks": self.lost_tracks,
            "reconnected": self.reconnected,
            "mutes": self.mutes,
            "told": self.told,
            "unopened": self.unopened,
            "followed": self.followed,
            "sends": sends,
            "receives": receives,
        }

    async def leave(self):
        await self.room.disconnect()

    async def codecs(self):
        """Media types of what is sent and received now."""
        stats = await self.room.get_rtc_stats()
        entries = [*stats.publisher_stats, *stats.subscriber_stats]
        names = {}
        for entry in entries:
            if entry.WhichOneof("stats") == "codec":
                names[entry.codec.rtc.id] = entry.codec.codec.mime_type

        def of(kind):
            streams = [getattr(entry, kind).stream for entry in entries if entry.WhichOneof("stats") == kind]
            return ", ".join(names.get(stream.codec_id, "") for stream in streams if stream.kind == "audio")

        return of("outbound_rtp"), of("inbound_rtp")

    def on_track(self, track, publication, _participant):
        self.tracks += 1
        self.told = publication.mime_type
        self.start(self.record(track))

    def on_lost_track(self, *_):
        self.lost_tracks += 1

    def on_reconnected(self):
        self.reconnected += 1

    def on_sealing(self, _participant, state):
        if state == rtc.EncryptionState.DECRYPTION_FAILED:
            self.unopened += 1
        if state == rtc.EncryptionState.KEY_RATCHETED:
            self.followed += 1

    def on_mute(self, participant, muted):
        if participant.identity != self.room.local_participant.identity:
            self.mutes.append(muted)

    def on_packet(self, packet):
        reliable = packet.kind == rtc.DataPacketKind.KIND_RELIABLE
        self.packets.append({"payload": base64.b64encode(packet.data).decode(), "reliable": reliable})

    def on_text(self, reader, _identity):
        self.start(self.read(reader))

    async def record(self, track):
        """Until another track takes its place: this one may go on in silence."""
        mine = self.tracks
        stream = rtc.AudioStream(track, sample_rate=RATE, num_channels=1)
        async for event in stream:
            if mine != self.tracks:
                break
            self.heard += bytes(event.frame.data)
        await stream.aclose()

    async def read(self, reader):
        self.texts.append(await reader.read_all())

    def start(self, work):
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)


async def main():
    peer = Peer()
    lines = asyncio.StreamReader(limit=LONGEST_LINE)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while line := await lines.readline():
        request = json.loads(line)
        answer = {"id": request.pop("id")}
        try:
            answer |= await getattr(peer, request.pop("do"))(**request) or {}
        except Exception as error:  # told to whoever asked
            answer["error"] = f"{type(error).__name__}: {error}"
        print(json.dumps(answer), flush=True)


asyncio.run(main())
