import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes, randomInt, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'

// Starts the daemons of a throw-away gateway, prints how to reach it, and stops them when its input ends or it is interrupted.
// All that they hold is in memory and in one temporary folder. Started by scripts/gateway.ts; from a terminal it runs until Ctrl-C.

const { values } = parseArgs({
  options: { json: { type: 'boolean', default: false }, bytes: { type: 'string', default: String(4 * 2 ** 30) } },
})

const startSeconds = 60
const folder = mkdtempSync(join(tmpdir(), 'rindle-gateway-'))
const config = join(folder, 'ceph.conf')
/** In the order of their start. */
const running: ChildProcess[] = []

process.stdin.on('end', () => void finish(0)).resume()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => void finish(0))
process.once('uncaughtException', (error) => {
  console.error(`${error.message}\n${logs()}`)
  void finish(1)
})
const slow = setTimeout(() => {
  throw new Error(`Not up within ${startSeconds} s.`)
}, startSeconds * 1000)

const access = await start()
clearTimeout(slow)
console.log(values.json ? JSON.stringify(access) : describe(access))

async function start() {
  const [monitorPort, port] = [await freePort(), await freePort()]
  const [cluster, store] = [randomUUID(), randomUUID()]
  for (const name of ['mon', 'osd']) mkdirSync(join(folder, name))
  writeFileSync(config, configuration(cluster, monitorPort), { mode: 0o600 })

  const map = join(folder, 'monmap')
  await run('monmaptool', '--create', '--add', 'a', `127.0.0.1:${monitorPort}`, '--fsid', cluster, map)
  await Promise.all([
    run('ceph-mon', '--mkfs', '--id', 'a', '--monmap', map, '--no-mon-config'),
    run('ceph-osd', '--mkfs', '--id', '0', '--osd-uuid', store, '--no-mon-config'),
  ])
  keep('ceph-mon', '--foreground', '--id', 'a')
  await run('ceph', 'osd', 'new', store)
  keep('ceph-osd', '--foreground', '--id', '0')

  const credentials = await user('owner')
  const guest = await user('guest')
  // Without the option every answer with a body waits 40 ms for the client to say that it has the head of it.
  keep('radosgw', '--foreground', '--name', 'client.admin', '--rgw-frontends', `beast endpoint=127.0.0.1:${port} tcp_nodelay=1`)
  const endpoint = `http://127.0.0.1:${port}`
  await untilAnswering(endpoint)
  return { endpoint, region: 'us-east-1', credentials, guest }
}

async function user(name: string): Promise<{ accessKeyId: string; secretAccessKey: string }> {
  const [accessKeyId, secretAccessKey] = [`AK${letters(18)}`, letters(40)]
  const keys = ['--access-key', accessKeyId, '--secret', secretAccessKey]
  await run('radosgw-admin', 'user', 'create', '--uid', name, '--display-name', name, ...keys)
  return { accessKeyId, secretAccessKey }
}

/** Ceph's own words; the lines that are not about place and number of daemons say why they are there. */
function configuration(cluster: string, monitorPort: number): string {
  // The gateway hangs for minutes in the secure modes.
  const modes = ['client', 'cluster', 'service', 'mon client', 'mon cluster', 'mon service'].map((side) => `ms ${side} mode = crc`)
  return `[global]
fsid = ${cluster}
mon host = 127.0.0.1:${monitorPort}
public addr = 127.0.0.1
cluster addr = 127.0.0.1
ms bind ipv6 = false
${modes.join('\n')}
auth cluster required = none
auth service required = none
auth client required = none
mon data = ${folder}/mon
osd data = ${folder}/osd
log file = ${folder}/$name.log
run dir = ${folder}
# A path of a socket holds 107 characters only, which a temporary folder may exceed.
admin socket =
osd objectstore = memstore
memstore device bytes = ${values.bytes}
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
# A machine whose disk is nearly full is good enough for what is in memory.
mon data avail warn = 1
mon data avail crit = 1
# The monitor would gather changes for a second each; the start is a chain of twenty.
paxos propose interval = 0.02
paxos min wait = 0.01
# A request that was sent before the store knew of its pool is sent again at the next tick, else after five seconds.
objecter tick interval = 0.5
# What was deleted would otherwise be kept for two hours, the store fills up, and uploads hang without an error.
rgw gc obj min wait = 1
rgw gc processor period = 2
rgw gc processor max time = 2
rgw dns name = localhost
rgw thread pool size = 64
debug rgw = 0
`
}

/** Runs a program to its end. */
async function run(program: string, ...args: string[]): Promise<void> {
  const child = startProgram(program, args)
  const [code, signal] = await once(child, 'exit')
  running.splice(running.indexOf(child), 1)
  if (code !== 0) throw new Error(`${program} ${args[0]} ended with ${signal ?? code}.`)
}

/** Runs a program for as long as the gateway is there, and not without it. */
function keep(program: string, ...args: string[]): void {
  startProgram(program, args).once('exit', (code, signal) => {
    throw new Error(`${program} ended with ${signal ?? code}.`)
  })
}

/** The kernel kills it when this process dies in whatever way. */
function startProgram(program: string, args: readonly string[]): ChildProcess {
  const output = openSync(join(folder, `${program}.out`), 'a')
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', program, '--conf', config, ...args], { stdio: ['ignore', output, output] })
  running.push(child)
  return child
}

/** A connection that is made while the gateway begins to listen is never answered, so patience begins small. */
async function untilAnswering(endpoint: string): Promise<void> {
  for (let patienceMs = 200; ; patienceMs *= 1.2) {
    const answer = await fetch(endpoint, { signal: AbortSignal.timeout(Math.round(patienceMs)) }).catch(() => null)
    await answer?.arrayBuffer()
    if (answer?.ok) return
    await sleep(50)
  }
}

/** Below the ports that the system gives to connections: none of those can take it before the daemon does. */
async function freePort(): Promise<number> {
  for (;;) {
    const server = createServer()
    const isFree = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false)).listen(randomInt(20_000, 32_000), '127.0.0.1', () => resolve(true))
    })
    const address = server.address()
    if (!isFree || address === null || typeof address === 'string') continue
    server.close()
    await once(server, 'close')
    return address.port
  }
}

/** The gateway goes first: without its store it would wait for it. Nothing of theirs is worth a clean end. */
async function finish(code: number): Promise<void> {
  for (const child of running.splice(0).reverse()) {
    child.removeAllListeners('exit')
    const ended = once(child, 'exit')
    if (child.kill('SIGKILL')) await ended
  }
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
  process.exit(code)
}

function logs(): string {
  const files = readdirSync(folder).filter((name) => /\.(out|log)$/.test(name))
  const ends = files.map((name) => [name, readFileSync(join(folder, name), 'utf8').trimEnd().split('\n').slice(-12).join('\n')] as const)
  return ends.map(([name, end]) => (end === '' ? '' : `${name}:\n${end}\n`)).join('')
}

function letters(count: number): string {
  return randomBytes(count).toString('hex').slice(0, count).toUpperCase()
}

function describe({ endpoint, region, credentials }: Awaited<ReturnType<typeof start>>): string {
  return `endpoint ${endpoint}\nregion ${region}\naccess key ${credentials.accessKeyId}\nsecret key ${credentials.secretAccessKey}\nCtrl-C stops it.`
}
