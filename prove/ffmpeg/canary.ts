import { execFile } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { copyFileSync, mkdirSync, readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Random } from '../harness.ts'

/** Files and a server that nobody but this proof may read or call. */
export interface Canary {
  /** Where one of films lies. Beside it are a text and, for what names them without a folder, whatever was brought there. */
  readonly folder: string
  readonly film: string
  readonly text: string
  /** Of the server, which counts whoever calls. */
  readonly port: number
  readonly url: string
  /** Puts the same files into another folder. */
  copyTo(folder: string): void
  /** Which of the canaries was touched since this was last asked, in words; empty when none. */
  touched(): string[]
  /** Whether something of what is in the files stands in there. */
  isSeenIn(bytes: Uint8Array | string): boolean
  /** The first file below the folder that something of them stands in. Their own copies do not count. */
  seenBelow(folder: string): string | null
  close(): Promise<void>
}

/** Made public in no name: it is what stands in the files. */
const names = { film: 'canary.ts', text: 'canary.txt' } as const

export const openCanary = async (folder: string, random: Random): Promise<Canary> => {
  mkdirSync(folder, { recursive: true })
  const secret = Buffer.from(random.bytes(20)).toString('hex')
  const [film, text] = [join(folder, names.film), join(folder, names.text)]
  writeFileSync(text, `${secret}\n`.repeat(40))
  const sources = ['-f', 'lavfi', '-i', 'testsrc2=size=64x48:rate=10:duration=1', '-f', 'lavfi', '-i', 'sine=440:duration=1']
  const encoded = ['-c:v', 'libx264', '-preset', 'ultrafast', '-c:a', 'aac', '-metadata', `service_name=${secret}`]
  await promisify(execFile)('ffmpeg', ['-nostdin', '-v', 'error', '-y', ...sources, ...encoded, '-f', 'mpegts', film])
  let calls = 0
  const server = createServer((socket) => {
    calls += 1
    socket.on('error', () => undefined).destroy()
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const port = portOf(server)
  const datagrams = createSocket('udp4', () => (calls += 1))
  await new Promise<void>((resolve) => datagrams.bind(port, '127.0.0.1', resolve))
  const watched = [film, text]
  const rewind = (path: string): void => utimesSync(path, 0, statSync(path).mtime)
  watched.forEach(rewind)
  const needles = [secret, Buffer.from(secret, 'utf16le'), Buffer.from(secret).toString('base64').slice(0, 32), hexOf(secret)]
  const isSeenIn = (bytes: Uint8Array | string): boolean => {
    const held = Buffer.from(bytes)
    return needles.some((needle) => held.includes(needle))
  }
  return {
    ...{ folder, film, text, port, url: `http://127.0.0.1:${port}/canary.ts`, isSeenIn },
    copyTo(other) {
      for (const name of Object.values(names)) {
        copyFileSync(join(folder, name), join(other, name))
        watched.push(join(other, name))
      }
      watched.forEach(rewind)
    },
    touched() {
      const read = watched.filter((path) => (statSync(path, { throwIfNoEntry: false })?.atimeMs ?? 0) !== 0)
      read.forEach(rewind)
      const said = [...read.map((path) => `the file ${path} was read`), ...(calls > 0 ? [`the server was called ${calls} times`] : [])]
      calls = 0
      return said
    },
    isSeenIn,
    seenBelow(other) {
      for (const entry of readdirSync(other, { recursive: true, withFileTypes: true })) {
        const path = join(entry.parentPath, entry.name)
        if (entry.isFile() && !watched.includes(path) && isSeenIn(readFileSync(path))) return path
      }
      return null
    },
    async close() {
      datagrams.close()
      server.close()
      await once(server, 'close')
    },
  }
}

const hexOf = (text: string): string => Buffer.from(text).toString('hex')

const portOf = (server: Server): number => {
  const address = server.address()
  if (typeof address !== 'object' || address === null) throw new Error('the canary server has no port')
  return address.port
}
