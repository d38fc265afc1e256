import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { Readable } from 'node:stream'
import { promisify } from 'node:util'
import { ffmpegFolders, installFfmpeg, oldestAvutil, oldestOf } from '../../../core/decoding-packages.ts'
import { RindleError } from '../../../core/errors.ts'
import { isOlder } from '../../../core/is-older.ts'

type ProgramName = 'ffmpeg' | 'ffprobe'

export interface ProgramRun {
  /** Null when a signal ended it. */
  readonly status: number | null
  readonly stdout: Buffer
  /** Its first and its last words, to be matched against patterns only: strings of the file are in it. */
  readonly complaints: string
  /** It was told to end when its time was over, and what it had written until then is in `stdout`. */
  readonly ranOut: boolean
  /** It was ended because it wrote more than was to be read; `stdout` is the beginning. */
  readonly wroteTooMuch: boolean
}

export interface ProgramLimits {
  readonly timeoutMs: number
  /** Of stdout. Default 1 MiB. */
  readonly maxOutputBytes?: number
  /** Hears stdout while it is written, and nothing of it is kept. */
  readonly onOutput?: (chunk: Buffer) => void
  /** Hears what is written to descriptor 3, which is a pipe then. */
  readonly onAside?: (chunk: Buffer) => void
}

const install = `${installFfmpeg}; then start the worker again`
/** Between being asked to end and being ended: time to hand out what it has. */
const graceMs = 1_500
const mebibyte = 1024 * 1024
const complaintBytes = 16 * 1024

/**
 * Runs one of the two by its absolute path and a list of arguments, never by a shell: with nothing on stdin, with the environment, the limits and the
 * group of the process that this is called in, and never longer than that process lives.
 *
 * @throws RindleError `program_missing`, `peer_outdated`
 */
export const runProgram = async (name: ProgramName, args: readonly string[], limits: ProgramLimits): Promise<ProgramRun> => {
  const path = await programPath(name)
  const leash = leashPath()
  const [file, ...rest] = leash === null ? [path, ...args] : [leash, '--pdeathsig', 'KILL', path, ...args]
  const child = spawn(file, rest, { stdio: ['ignore', 'pipe', 'pipe', limits.onAside ? 'pipe' : 'ignore'] })
  const stop = stopper(child, limits.timeoutMs)
  const [, stdout, stderr, aside] = child.stdio
  if (!stdout || !stderr) throw new RindleError('decoder_unavailable', { problem: `${name} could not be started` })
  const out = collected(stdout, limits, () => child.kill('SIGKILL'))
  const complaints = edges(stderr)
  if (limits.onAside && aside instanceof Readable) aside.on('data', limits.onAside)
  try {
    const status = await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject)
      child.once('close', (code) => resolve(code))
    })
    return { status, stdout: out.bytes(), complaints: complaints(), ranOut: stop.rang(), wroteTooMuch: !out.isWhole() }
  } finally {
    stop.clear()
  }
}

/** The version that a program goes by; null where it is not installed. Each is asked once. */
export const versionOf = (name: ProgramName): Promise<string | null> => {
  versions[name] ??= askVersion(name)
  return versions[name].then((known) => known?.version ?? null)
}

/** Where a program is. @throws RindleError `program_missing`, `peer_outdated` */
const programPath = async (name: ProgramName): Promise<string> => {
  versions[name] ??= askVersion(name)
  const known = await versions[name]
  if (known === null) throw new RindleError('program_missing', { program: name, neededFor: 'Looking into audio and video', install })
  if (known.isOld) throw new RindleError('peer_outdated', { packageName: name, found: known.version, needed: oldestOf.ffmpeg })
  return known.path
}

interface Known {
  readonly path: string
  readonly version: string
  readonly isOld: boolean
}

const versions: Partial<Record<ProgramName, Promise<Known | null>>> = {}

const askVersion = async (name: ProgramName): Promise<Known | null> => {
  const path = firstThatRuns(ffmpegFolders.map((folder) => `${folder}/${name}`))
  if (path === null) return null
  const { stdout } = await promisify(execFile)(path, ['-version'], { env: {}, timeout: 10_000, maxBuffer: mebibyte })
  const version = /^\S+ version ([\w.:~+-]{1,80})/.exec(stdout)?.[1] ?? 'of no known version'
  const [, major, minor] = /^libavutil\s+(\d+)\.\s*(\d+)\./m.exec(stdout) ?? []
  return { path, version, isOld: isOlder(`${major}.${minor}`, oldestAvutil) }
}

/** util-linux has the kernel end what it starts as soon as whoever started it is gone; null where there is none. */
const leashPath = (): string | null => {
  leash ??= { path: firstThatRuns(['/usr/bin/setpriv', '/bin/setpriv']) }
  return leash.path
}

let leash: { readonly path: string | null } | null = null

const firstThatRuns = (paths: readonly string[]): string | null => {
  for (const path of paths) {
    try {
      accessSync(path, constants.X_OK)
      return path
    } catch {
      // It is not there.
    }
  }
  return null
}

const stopper = (child: ChildProcess, timeoutMs: number): { rang(): boolean; clear(): void } => {
  let rang = false
  const ending = setTimeout(() => {
    rang = true
    child.kill('SIGTERM')
  }, timeoutMs)
  const killing = setTimeout(() => child.kill('SIGKILL'), timeoutMs + graceMs)
  return {
    rang: () => rang,
    clear: () => {
      clearTimeout(ending)
      clearTimeout(killing)
    },
  }
}

const collected = (
  stream: Readable,
  { maxOutputBytes: maxBytes = mebibyte, onOutput }: ProgramLimits,
  onTooMuch: () => void,
): { bytes(): Buffer; isWhole(): boolean } => {
  const chunks: Buffer[] = []
  let length = 0
  stream.on('data', (chunk: Buffer) => {
    if (onOutput) return onOutput(chunk)
    length += chunk.length
    if (length > maxBytes) onTooMuch()
    else chunks.push(chunk)
  })
  return { bytes: () => Buffer.concat(chunks), isWhole: () => length <= maxBytes }
}

/** Keeps the beginning and the end of what may be endless. */
const edges = (stream: Readable): (() => string) => {
  let head = Buffer.alloc(0)
  let tail = Buffer.alloc(0)
  stream.on('data', (chunk: Buffer) => {
    const room = complaintBytes - head.length
    head = Buffer.concat([head, chunk.subarray(0, room)])
    tail = Buffer.concat([tail, chunk.subarray(Math.max(0, room))]).subarray(-complaintBytes)
  })
  return () => `${head.toString('latin1')}${tail.toString('latin1')}`
}
