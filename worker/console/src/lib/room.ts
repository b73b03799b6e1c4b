// Adapter: the only file that names livekit-client. It turns a LiveKit room into facts of our own and
// offers the few acts the page needs. It decides nothing and keeps no history.

import {
  ConnectionError,
  ConnectionErrorReason,
  DisconnectReason,
  MediaDeviceFailure,
  ParticipantKind,
  Room,
  RoomEvent,
  Track,
  setLogLevel,
  type LocalAudioTrack,
  type Participant,
  type RemoteTrack,
  type TextStreamReader,
} from 'livekit-client';
import { latencyOf, type Latency } from './latency';
import type { Speaker, TextFact } from './transcript';

export type Role = 'me' | 'agent' | 'person';

export interface Person {
  readonly identity: string;
  readonly name: string;
  readonly role: Role;
  /** Milliseconds since 1970, as the server saw it. */
  readonly joined: number;
  /** No open microphone. */
  readonly muted: boolean;
  /** `lk.agent.state` and `agent.model`; only agents have them. */
  readonly state: string | null;
  readonly model: string | null;
  /** Where the time of the last answer went; only agents say so, with `agent.latency`. */
  readonly latency: Latency | null;
  /** The agent hears who presses to talk; only agents say so, with `agent.turns`. */
  readonly byHand: boolean;
}

export type CloseReason = 'left' | 'removed' | 'room-closed' | 'replaced' | 'lost';

export type RoomFact =
  | { kind: 'people'; people: readonly Person[] }
  | { kind: 'text'; text: TextFact }
  | { kind: 'reconnecting' }
  | { kind: 'connected' }
  | { kind: 'closed'; reason: CloseReason }
  | { kind: 'sound'; blocked: boolean }
  | { kind: 'microphone-lost' }
  /** The tracks whose level can be shown. */
  | { kind: 'tracks'; mine: MediaStreamTrack | null; agent: MediaStreamTrack | null };

export type MicrophoneProblem = 'refused' | 'missing' | 'busy' | 'insecure' | 'broken';

export type MicrophoneResult =
  | { ok: true; echoCancelled: boolean }
  | { ok: false; problem: MicrophoneProblem };

export interface RoomLink {
  openMicrophone(): Promise<MicrophoneResult>;
  /** Sends silence; the device stays open, so that speaking again is instant. */
  setMuted(muted: boolean): Promise<void>;
  say(text: string): Promise<void>;
  /** Shows a picture to the agent, as small as `shrink` makes it. */
  show(picture: File): Promise<void>;
  /** Presses to talk, or lets go. */
  press(agent: string, down: boolean): Promise<void>;
  /** After a click: browsers let a page make sound only then. */
  allowSound(): Promise<void>;
  leave(): Promise<void>;
}

export type Connect = (url: string, token: string, tell: (fact: RoomFact) => void) => Promise<RoomLink>;

/** The room could not be joined: `refused` by the server, or not reached at all. */
export class ConnectError extends Error {
  constructor(readonly kind: 'refused' | 'unreachable') {
    super(kind);
  }
}

const TRANSCRIPTION = 'lk.transcription';
const CHAT = 'lk.chat';
const PICTURES = 'images';
const PTT = 'room_agent.ptt';

const CAPTURE = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };

// Only what went wrong belongs into a customer's console.
setLogLevel('warn');

export const connect: Connect = async (url, token, tell) => {
  const room = new Room({ audioCaptureDefaults: CAPTURE });
  const speakers = document.createElement('div');
  speakers.hidden = true;
  document.body.append(speakers);

  const people = () => tell({ kind: 'people', people: peopleOf(room) });
  const tracks = () => tell({ kind: 'tracks', mine: microphoneOf(room), agent: agentVoiceOf(room) });
  let lineOfChat = 0;
  /** What I typed or showed comes back from nobody. */
  const tellOwn = (text: string) => {
    const stream = `typed-${++lineOfChat}`;
    const name = nameOf(room.localParticipant);
    tell({ kind: 'text', text: { kind: 'open', stream, segment: null, speaker: 'me', name, typed: true } });
    tell({ kind: 'text', text: { kind: 'delta', stream, text } });
    tell({ kind: 'text', text: { kind: 'close', stream, final: true } });
  };

  room
    .on(RoomEvent.ParticipantConnected, people)
    .on(RoomEvent.ParticipantDisconnected, people)
    .on(RoomEvent.ParticipantAttributesChanged, people)
    .on(RoomEvent.ParticipantNameChanged, people)
    .on(RoomEvent.TrackMuted, people)
    .on(RoomEvent.TrackUnmuted, people)
    .on(RoomEvent.TrackPublished, people)
    .on(RoomEvent.TrackUnpublished, people)
    .on(RoomEvent.LocalTrackPublished, (publication) => {
      publication.track?.on('ended', () => tell({ kind: 'microphone-lost' }));
      people();
      tracks();
    })
    .on(RoomEvent.LocalTrackUnpublished, tracks)
    .on(RoomEvent.TrackSubscribed, (track) => {
      play(track, speakers);
      tracks();
    })
    .on(RoomEvent.TrackUnsubscribed, (track) => {
      for (const element of track.detach()) element.remove();
      tracks();
    })
    .on(RoomEvent.AudioPlaybackStatusChanged, () => tell({ kind: 'sound', blocked: !room.canPlaybackAudio }))
    .on(RoomEvent.SignalReconnecting, () => tell({ kind: 'reconnecting' }))
    .on(RoomEvent.Reconnecting, () => tell({ kind: 'reconnecting' }))
    .on(RoomEvent.Reconnected, () => {
      tell({ kind: 'connected' });
      people();
    })
    .on(RoomEvent.Disconnected, (reason) => {
      speakers.remove();
      tell({ kind: 'closed', reason: closeReason(reason) });
    });

  room.registerTextStreamHandler(TRANSCRIPTION, (reader, from) => {
    void readText(reader, speakerOf(room, from.identity), false, tell);
  });
  room.registerTextStreamHandler(CHAT, (reader, from) => {
    void readText(reader, speakerOf(room, from.identity), true, tell);
  });

  await room.connect(url, token).catch((error: unknown) => {
    speakers.remove();
    throw new ConnectError(isRefusal(error) ? 'refused' : 'unreachable');
  });
  tell({ kind: 'connected' });
  people();

  return {
    openMicrophone: () => openMicrophone(room),
    setMuted: async (muted) => {
      await room.localParticipant.setMicrophoneEnabled(!muted, CAPTURE);
    },
    say: async (text) => {
      await room.localParticipant.sendText(text, { topic: CHAT });
      tellOwn(text);
    },
    show: async (picture) => {
      await room.localParticipant.sendFile(picture, { topic: PICTURES, mimeType: picture.type });
      tellOwn('[a picture]');
    },
    press: async (agent, down) => {
      const payload = JSON.stringify({ pressed: down });
      await room.localParticipant.performRpc({ destinationIdentity: agent, method: PTT, payload });
    },
    allowSound: () => room.startAudio(),
    leave: () => room.disconnect(),
  };
};

function play(track: RemoteTrack, speakers: HTMLElement): void {
  if (track.kind !== Track.Kind.Audio) return;
  speakers.append(track.attach());
}

async function openMicrophone(room: Room): Promise<MicrophoneResult> {
  if (!navigator.mediaDevices?.getUserMedia) return { ok: false, problem: 'insecure' };
  try {
    const publication = await room.localParticipant.setMicrophoneEnabled(true, CAPTURE);
    const settings = publication?.audioTrack?.mediaStreamTrack.getSettings();
    // A browser that does not report the setting follows the request.
    return { ok: true, echoCancelled: settings?.echoCancellation !== false };
  } catch (error) {
    return { ok: false, problem: microphoneProblem(error) };
  }
}

function microphoneProblem(error: unknown): MicrophoneProblem {
  switch (MediaDeviceFailure.getFailure(error)) {
    case MediaDeviceFailure.PermissionDenied:
      return 'refused';
    case MediaDeviceFailure.NotFound:
      return 'missing';
    case MediaDeviceFailure.DeviceInUse:
      return 'busy';
    default:
      return 'broken';
  }
}

/** Chunks of one text stream, until it closes or the room does. */
async function readText(
  reader: TextStreamReader,
  from: { speaker: Speaker; name: string },
  typed: boolean,
  tell: (fact: RoomFact) => void,
): Promise<void> {
  const stream = reader.info.id;
  const segment = reader.info.attributes?.['lk.segment_id'] ?? null;
  tell({ kind: 'text', text: { kind: 'open', stream, segment, ...from, typed } });
  try {
    for await (const text of reader) tell({ kind: 'text', text: { kind: 'delta', stream, text } });
  } catch {
    // The sender left in mid-sentence: what came stays.
  }
  const named = reader.info.attributes?.['lk.transcription_final'] === 'true';
  const final = named || typed || from.speaker === 'agent';
  tell({ kind: 'text', text: { kind: 'close', stream, final } });
}

function peopleOf(room: Room): readonly Person[] {
  const all: Participant[] = [room.localParticipant, ...room.remoteParticipants.values()];
  return all.filter((one) => one.isLocal || roleOf(one) !== null).map(personOf);
}

function personOf(participant: Participant): Person {
  const { attributes } = participant;
  return {
    identity: participant.identity,
    name: nameOf(participant),
    role: participant.isLocal ? 'me' : (roleOf(participant) ?? 'person'),
    joined: participant.joinedAt?.getTime() ?? 0,
    muted: !participant.isMicrophoneEnabled,
    state: attributes['lk.agent.state'] ?? null,
    model: attributes['agent.model'] ?? null,
    latency: latencyOf(attributes['agent.latency']),
    byHand: attributes['agent.turns'] === 'manual',
  };
}

/** Recorders, and helpers that publish on an agent's behalf, are neither. */
function roleOf(participant: Participant): 'agent' | 'person' | null {
  switch (participant.kind) {
    case ParticipantKind.AGENT:
      return participant.attributes['lk.publish_on_behalf'] ? null : 'agent';
    case ParticipantKind.STANDARD:
    case ParticipantKind.SIP:
    case ParticipantKind.CONNECTOR:
      return 'person';
    default:
      return null;
  }
}

function speakerOf(room: Room, identity: string): { speaker: Speaker; name: string } {
  if (identity === room.localParticipant.identity) return { speaker: 'me', name: nameOf(room.localParticipant) };
  const participant = room.remoteParticipants.get(identity);
  if (!participant) return { speaker: 'other', name: 'Someone' };
  const speaker = roleOf(participant) === 'agent' ? 'agent' : 'other';
  return { speaker, name: nameOf(participant) };
}

function nameOf(participant: Participant): string {
  return participant.name || participant.attributes['lk.agent.name'] || participant.identity;
}

function microphoneOf(room: Room): MediaStreamTrack | null {
  const publication = room.localParticipant.getTrackPublication(Track.Source.Microphone);
  return (publication?.track as LocalAudioTrack | undefined)?.mediaStreamTrack ?? null;
}

function agentVoiceOf(room: Room): MediaStreamTrack | null {
  for (const participant of room.remoteParticipants.values()) {
    if (roleOf(participant) !== 'agent') continue;
    const track = participant.getTrackPublication(Track.Source.Microphone)?.track;
    if (track) return track.mediaStreamTrack;
  }
  return null;
}

function closeReason(reason: DisconnectReason | undefined): CloseReason {
  switch (reason) {
    case DisconnectReason.CLIENT_INITIATED:
      return 'left';
    case DisconnectReason.DUPLICATE_IDENTITY:
      return 'replaced';
    case DisconnectReason.PARTICIPANT_REMOVED:
      return 'removed';
    case DisconnectReason.ROOM_DELETED:
    case DisconnectReason.ROOM_CLOSED:
      return 'room-closed';
    default:
      return 'lost';
  }
}

function isRefusal(error: unknown): boolean {
  return error instanceof ConnectionError && error.reason === ConnectionErrorReason.NotAllowed;
}
