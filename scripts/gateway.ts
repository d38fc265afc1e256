import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { letGo, stopHolder } from './holder.ts'

/** What a client needs to speak to the gateway, and no more. */
export type GatewayAccess = {
  /** Its address on loopback, without a path. `localhost` in the place of 127.0.0.1 reaches it too, and takes host-style buckets. */
  readonly endpoint: string
  readonly region: string
  /** Whose buckets they are. Random at every start, as are the guest's. */
  readonly credentials: GatewayCredentials
  /** The user `guest` may do what a bucket's policy allows, and nothing else. */
  readonly guest: GatewayCredentials
}

type GatewayCredentials = { readonly accessKeyId: string; readonly secretAccessKey: string }

export type Gateway = GatewayAccess & {
  /** The process that holds the daemons and ends with them. */
  readonly pid: number
  /** Stops the daemons and removes all that they held. */
  stop(): Promise<void>
}

/** The environment variable in which the runner of all tests hands its gateway to the test files. */
export const sharedGatewayVariable = 'RINDLE_TEST_GATEWAY'

const programs = ['radosgw', 'radosgw-admin', 'ceph', 'ceph-mon', 'ceph-osd', 'monmaptool', 'setpriv']

/** What to say where `hasGateway` is false. */
export const gatewayIsMissing = 'no RADOS gateway is installed: apt-get install radosgw ceph-mon ceph-osd ceph-common'

/** True when everything is installed that a gateway is started from. */
export function hasGateway(): boolean {
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '')
  return programs.every((program) => folders.some((folder) => existsSync(join(folder, program))))
}

/**
 * Starts a real S3 server on loopback: Ceph's RADOS gateway with one monitor and one store in memory, which holds at most
 * `bytes` (4 GiB by default; the memory that it takes grows to twice of what it holds) and lets uploads hang when it is full. It never outlives
 * its starter, even one that is killed.
 *
 * It enforces signatures, signed headers, lengths, expiry and If-None-Match on PUT. It ignores If-None-Match when a multipart
 * upload is completed, the condition of a copy, checksums other than Content-MD5, and the limit of 10,000 parts.
 *
 * @throws with the end of the daemons' logs when it is not up within a minute.
 */
export async function startGateway(options: { readonly bytes?: number } = {}): Promise<Gateway> {
  if (!hasGateway()) throw new Error(gatewayIsMissing)
  const program = fileURLToPath(new URL('gateway-daemons.ts', import.meta.url))
  const flags = options.bytes === undefined ? [] : ['--bytes', String(options.bytes)]
  const holder = spawn(process.execPath, [program, '--json', ...flags], { detached: true, stdio: ['pipe', 'pipe', 'pipe'] })
  let complaint = ''
  const listen = (chunk: Buffer): unknown => (complaint += chunk.toString())
  holder.stderr.on('data', listen)
  const access = await firstLine(holder)
  if (access === null || holder.pid === undefined) throw new Error(`The gateway did not start:\n${complaint}`)
  const parsed: GatewayAccess = JSON.parse(access)
  letGo(holder)
  holder.stderr.off('data', listen).on('data', (chunk: Buffer) => process.stderr.write(chunk))
  return { ...parsed, pid: holder.pid, stop: () => stopHolder(holder) }
}

async function firstLine(holder: ChildProcess): Promise<string | null> {
  let said = ''
  const line = new Promise<string>((resolve) =>
    holder.stdout?.on('data', (chunk: Buffer) => {
      said += chunk.toString()
      if (said.includes('\n')) resolve(said.slice(0, said.indexOf('\n')))
    }),
  )
  return Promise.race([line, once(holder, 'close').then(() => null)])
}
