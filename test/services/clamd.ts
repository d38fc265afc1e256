import { type ChildProcess, spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { letGo, stopHolder } from '../../scripts/holder.ts'

/** Found by the daemon of the tests anywhere in a file, under the name `markedThreat`. */
export const marker = 'RINDLE-TEST-MARKER-7f3a91c2'
export const markedThreat = 'Rindle.Test.Marker.UNOFFICIAL'
/** The test file of all scanners, found as `eicarThreat`. In two pieces, so that no scanner takes this file for it. */
export const eicar = ['X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-STANDARD', '-ANTIVIRUS-TEST-FILE!$H+H*'].join('')
export const eicarThreat = 'Rindle.Test.Eicar.UNOFFICIAL'

export type Clamd = {
  readonly host: string
  readonly port: number
  readonly socketPath: string
  /** The daemon's own process. */
  readonly pid: number
  /** Ends it at once, in the middle of whatever it does. */
  kill(): Promise<void>
  /** Ends it and removes its files. */
  stop(): Promise<void>
}

export type ClamdOptions = {
  /** Where one listened before; by default any that is free. */
  readonly port?: number
  /** Lines of clamd.conf over ours, by name. Ours take streams of 4 MB and look through files of 2 MB. */
  readonly settings?: Readonly<Record<string, string>>
}

/** The `skip` of what needs the daemon: false where there is one, else the reason. With CI=true a skipped case has failed. */
export const skipWithoutClamd: string | false = isInstalled() ? false : 'no clamd is installed: apt-get install clamav-daemon'

/**
 * Starts a real clamd on loopback and on a Unix socket, with two signatures of ours and no others. It never outlives its starter, even one that
 * is killed: the shell that holds it waits for the end of its input.
 *
 * @throws with the end of its log when it does not answer within half a minute.
 */
export async function startClamd({ port, settings = {} }: ClamdOptions = {}): Promise<Clamd> {
  const folder = mkdtempSync(join(tmpdir(), 'rindle-clamd-'))
  for (const name of ['signatures', 'work']) mkdirSync(join(folder, name))
  const hex = (text: string): string => Buffer.from(text).toString('hex')
  const signatures = [`Rindle.Test.Marker:0:*:${hex(marker)}`, `Rindle.Test.Eicar:0:0:${hex(eicar)}`]
  writeFileSync(join(folder, 'signatures/rindle.ndb'), `${signatures.join('\n')}\n`)

  const chosen = port ?? (await freePort())
  const lines = {
    Foreground: 'yes',
    DatabaseDirectory: join(folder, 'signatures'),
    TemporaryDirectory: join(folder, 'work'),
    LocalSocket: join(folder, 'clamd.sock'),
    TCPAddr: '127.0.0.1',
    TCPSocket: String(chosen),
    StreamMaxLength: '4M',
    MaxFileSize: '2M',
    AlertExceedsMax: 'yes',
    ...settings,
  }
  const config = join(folder, 'clamd.conf')
  const text = Object.entries(lines).map(([name, value]) => `${name} ${value}\n`)
  writeFileSync(config, text.join(''))

  const holder = spawn('bash', ['-c', holding, 'bash', folder, 'clamd', `--config-file=${config}`], {
    cwd: folder,
    detached: true,
    env: { PATH: searchPath(), LANG: 'C.UTF-8' },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  const pid = Number(String((await once(holder.stdout, 'data'))[0]).trim())
  let log = ''
  holder.stderr.on('data', (chunk) => (log = (log + chunk).slice(-4000)))
  await untilAnswering(chosen, holder, () => log)
  letGo(holder)
  const kill = async (): Promise<void> => {
    holder.ref()
    const ended = holder.exitCode === null && holder.signalCode === null ? once(holder, 'exit') : null
    process.kill(pid, 'SIGKILL')
    await ended
  }
  return { host: '127.0.0.1', port: chosen, socketPath: lines.LocalSocket, pid, kill, stop: () => stopHolder(holder) }
}

/** `$1` is the folder, the rest the daemon's command. TERM and INT would leave it behind, so they do what the end of input does. */
const holding = `
folder=$1; shift
trap 'exec <&-' TERM INT HUP
"$@" </dev/null >"$folder/log" 2>&1 &
daemon=$!
trap '' PIPE
echo $daemon
exec >/dev/null
( while kill -0 $daemon 2>/dev/null; do sleep 0.1; done; kill -TERM $$ 2>/dev/null ) &
while read -r _; do :; done
kill -KILL $daemon 2>/dev/null
wait $daemon 2>/dev/null
tail -c 4000 "$folder/log" >&2
rm -rf "$folder"
`

async function untilAnswering(port: number, holder: ChildProcess, log: () => string): Promise<void> {
  for (const patience = performance.now() + 30_000; ;) {
    if ((await answerTo('zPING\0', port)) === 'PONG\0') return
    if (holder.exitCode !== null || performance.now() > patience) throw new Error(`clamd did not start:\n${log()}`)
    await sleep(50)
  }
}

async function answerTo(command: string, port: number): Promise<string> {
  const socket = connect({ host: '127.0.0.1', port, timeout: 1000 })
  socket.once('timeout', () => socket.destroy())
  let words = ''
  try {
    socket.write(command)
    for await (const chunk of socket) words += String(chunk)
  } catch {
    return ''
  }
  return words
}

/** Below the ports that the system gives to connections, so that none of those can take it while the daemon is away. */
async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(20_000, 32_000)
    const server = createServer()
    const isFree = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false)).listen(port, '127.0.0.1', () => resolve(true))
    })
    if (!isFree) continue
    server.close()
    await once(server, 'close')
    return port
  }
}

/** Debian keeps daemons where only root looks. */
function searchPath(): string {
  return [process.env['PATH'] ?? '', '/usr/sbin'].join(delimiter)
}

function isInstalled(): boolean {
  return searchPath()
    .split(delimiter)
    .some((folder) => folder !== '' && existsSync(join(folder, 'clamd')))
}
