import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { letGo, stopHolder } from '../../scripts/holder.ts'
import { descendants, isAlive } from './processes.ts'

/** The environment variable in which the runner of all tests hands its server to the test files. */
export const sharedServerVariable = 'RINDLE_TEST_POSTGRES'

export type PostgresServer = {
  /** Superuser URL of the maintenance database, on a loopback port. Local connections need no password. */
  readonly url: string
  /** The server's own process; null when this process did not start it. */
  readonly pid: number | null
  /** Stops it and removes its files. Does nothing to a server that another process started. */
  stop(): Promise<void>
}

export type RestartingServer = PostgresServer & {
  /** Ends every process of it by SIGKILL. It comes up again by itself, on the same files. @returns when it answers again. */
  crash(): Promise<void>
}

export type TestDatabase = {
  /** Connects as the superuser who owns the database. */
  readonly url: string
  /** The same database as another role. */
  urlAs(role: string): string
  /** Drops it, once its sessions have ended; after a second it ends them. */
  drop(): Promise<void>
}

export type PostgresOptions = {
  /** Folder with `initdb` and `postgres`; by default the newest that Debian installed. */
  binaries?: string
  /** Keep commits through a power loss; off for speed. */
  fsync?: boolean
  /** Further settings, as in postgresql.conf. */
  settings?: Readonly<Record<string, string>>
  /** Start an own server even when the run has one, for tests that restart or kill it. */
  own?: boolean
}

/**
 * Gives a PostgreSQL server with files in a temporary folder: the one of the whole run when there is one, else an own one.
 * A server that was started here never outlives its starter, even one that is killed: the shell that holds it waits
 * for the end of its input, which comes when the starter is gone, then stops the server at once and removes the folder.
 * @throws when PostgreSQL is not installed; `hasPostgres()` tells before.
 */
export async function startPostgres(options: PostgresOptions = {}): Promise<PostgresServer> {
  const shared = process.env[sharedServerVariable]
  if (shared && !options.own && !options.binaries) return { url: shared, pid: null, stop: async () => {} }
  const { url, pid, stop } = await startHeld(options, holding)
  return { url, pid, stop }
}

/** The same, an own one, for tests that kill it. `pid` is that of who starts it again. */
export async function startRestartingPostgres(options: PostgresOptions = {}): Promise<RestartingServer> {
  const { url, pid, stop, folder, untilItAnswers } = await startHeld(options, holdingOn)
  return {
    ...{ url, pid, stop },
    async crash() {
      const server = Number(readFileSync(join(folder, 'pid'), 'utf8'))
      for (const one of [server, ...descendants(server)]) killed(one)
      while (isAlive(server)) await sleep(5)
      await untilItAnswers()
    },
  }
}

async function startHeld(options: PostgresOptions, script: string) {
  const binaries = options.binaries ?? debianBinaries()
  if (!binaries) throw new Error('PostgreSQL is not installed: apt-get install postgresql')
  const folder = mkdtempSync(join(tmpdir(), 'rindle-postgres-'))
  const data = join(folder, 'data')
  mkdirSync(data, { mode: 0o700 })
  const asServer = commandPrefix(folder, data)
  const environment = { PATH: process.env['PATH'] ?? '', LANG: 'C.UTF-8', HOME: folder }
  const initdb = [...asServer, join(binaries, 'initdb'), '-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C', '-N']
  execFileSync(initdb[0]!, initdb.slice(1), { env: environment, stdio: ['ignore', 'ignore', 'pipe'], cwd: folder })

  const port = await freePort()
  const settings = {
    listen_addresses: '127.0.0.1',
    port: String(port),
    unix_socket_directories: '',
    max_connections: '200',
    ...(options.fsync ? {} : { fsync: 'off', full_page_writes: 'off' }),
    ...options.settings,
  }
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  const holder = spawn('bash', ['-c', script, 'bash', folder, ...asServer, join(binaries, 'postgres'), '-D', data, ...flags], {
    env: environment,
    cwd: folder,
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  let log = ''
  holder.stderr.on('data', (chunk) => (log = (log + chunk).slice(-8000)))
  const pid = Number(String((await once(holder.stdout, 'data'))[0]).trim())
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`
  const untilItAnswers = () => untilReady(url, holder, () => log)
  await untilItAnswers()
  letGo(holder)
  return { url, pid, folder, untilItAnswers, stop: () => stopHolder(holder) }
}

function killed(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It was gone already.
  }
}

/** True when the run's server is there or a PostgreSQL is installed from which one can be started. */
export function hasPostgres(): boolean {
  return Boolean(process.env[sharedServerVariable]) || debianBinaries() !== null
}

/** Makes a database of its own for one test file, from `template` when given. */
export async function createDatabase(server: Pick<PostgresServer, 'url'>, options: { template?: string } = {}): Promise<TestDatabase> {
  const name = `rindle_${process.pid}_${Math.floor(performance.now() * 1000)}`
  await administer(server.url, `create database ${name} template ${options.template ?? 'template0'}`)
  const urlAs = (role: string) => {
    const url = new URL(server.url)
    url.pathname = `/${name}`
    url.username = role
    return url.href
  }
  return { url: urlAs('postgres'), urlAs, drop: () => dropDatabase(server.url, name) }
}

/** A client that was just closed may still have its session, and must not be told that somebody ended it. */
async function dropDatabase(url: string, name: string): Promise<void> {
  for (let patience = 20; patience > 0; patience--) {
    try {
      return await administer(url, `drop database if exists ${name}`)
    } catch {
      await sleep(50)
    }
  }
  await administer(url, `drop database if exists ${name} with (force)`)
}

/** Runs statements as the superuser in the database of the URL, one after another. */
export async function administer(url: string, ...statements: string[]): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    for (const statement of statements) await client.query(statement)
  } finally {
    await client.end()
  }
}

/** `$1` is the folder, the rest the server's command. TERM and INT would leave it behind, so they do what the end of input does. */
const holding = `
folder=$1; shift
trap 'exec <&-' TERM INT HUP
"$@" </dev/null &
server=$!
echo $server
exec >/dev/null
( while kill -0 $server 2>/dev/null; do sleep 0.5; done; kill -TERM $$ 2>/dev/null ) &
while read -r _; do :; done
kill -INT $server 2>/dev/null
for _ in $(seq 30); do kill -0 $server 2>/dev/null || break; sleep 0.1; done
kill -QUIT $server 2>/dev/null
wait $server
rm -rf "$folder"
`

/** The same, but whenever the server ends it is started again, until the input ends. What it says about that is not heard. */
const holdingOn = `
folder=$1; shift
trap 'exec <&-' TERM INT HUP
touch "$folder/open"
( while [ -e "$folder/open" ]; do "$@" </dev/null >/dev/null & echo $! > "$folder/pid"; wait $!; sleep 0.1; done ) &
keeper=$!
echo $keeper
exec >/dev/null
while read -r _; do :; done
rm -f "$folder/open"
for signal in INT QUIT; do
  kill -$signal $(cat "$folder/pid") 2>/dev/null
  for _ in $(seq 30); do kill -0 $keeper 2>/dev/null || break 2; sleep 0.1; done
done
rm -rf "$folder"
`

/** PostgreSQL refuses to run as root, so root hands the folder to the user postgres and becomes that user. */
function commandPrefix(folder: string, data: string): string[] {
  if (process.getuid?.() !== 0) return []
  const [uid, gid] = ['-u', '-g'].map((flag) => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' })))
  chmodSync(folder, 0o755)
  chownSync(data, uid!, gid!)
  return ['setpriv', '--reuid=postgres', '--regid=postgres', '--init-groups']
}

function debianBinaries(): string | null {
  const root = '/usr/lib/postgresql'
  if (!existsSync(root)) return null
  const versions = readdirSync(root).filter((version) => existsSync(join(root, version, 'bin/initdb')))
  const newest = versions.sort((one, other) => Number(other) - Number(one))[0]
  return newest ? join(root, newest, 'bin') : null
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port was given')
  return address.port
}

async function untilReady(url: string, holder: ChildProcess, log: () => string): Promise<void> {
  const patience = performance.now() + 90_000
  for (;;) {
    try {
      await administer(url)
      return
    } catch (error) {
      if (holder.exitCode !== null || performance.now() > patience) throw new Error(`PostgreSQL did not start:\n${log()}`, { cause: error })
      await sleep(50)
    }
  }
}
