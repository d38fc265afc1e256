import { AsyncLocalStorage } from 'node:async_hooks'
import type { Client, Notification } from 'pg'
import { translated } from '../sql-error.ts'
import { atMost } from './at-most.ts'

export interface Listener {
  listen(channel: string, hear: (payload: string) => void): Promise<() => Promise<void>>
  close(): Promise<void>
}

const firstDelayMs = 100
const longestDelayMs = 5_000
/** How long a goodbye may take: a server that hangs answers none. */
const goodbyeMs = 2_000

/**
 * Listens on a connection of its own, which is made when it is first needed and made again, with all its channels, when it is lost.
 * What was sent in between is not heard: a notification is a hint.
 */
export const createListener = (createClient: () => Promise<Client>): Listener => {
  const channels = new Map<string, Set<(payload: string) => void>>()
  let connection: Promise<Client> | null = null
  let retry: NodeJS.Timeout | null = null
  let closed = false

  const connect = async (): Promise<Client> => {
    const client = await createClient()
    client.on('error', () => {})
    client.on('notification', ({ channel, payload }: Notification) => {
      for (const hear of channels.get(channel) ?? []) hear(payload ?? '')
    })
    await client.connect()
    for (const channel of channels.keys()) await client.query(`listen ${quoted(channel)}`)
    client.once('end', () => {
      connection = null
      if (!closed && channels.size > 0) reconnect(firstDelayMs)
    })
    return client
  }

  const connected = (): Promise<Client> => {
    connection ??= connect().catch((err: unknown) => {
      connection = null
      throw translated(err, 'listen')
    })
    return connection
  }

  const reconnect = (delayMs: number) => {
    retry = setTimeout(() => {
      if (!closed) connected().catch(() => reconnect(Math.min(delayMs * 2, longestDelayMs)))
    }, delayMs)
    retry.unref()
  }

  return {
    async listen(channel, hear) {
      const bound = AsyncLocalStorage.bind(hear)
      const hearers = channels.get(channel) ?? new Set()
      const isNew = hearers.size === 0
      channels.set(channel, hearers.add(bound))
      const wasConnected = connection !== null
      const forget = () => {
        hearers.delete(bound)
        if (hearers.size === 0) channels.delete(channel)
        return hearers.size === 0 && !closed
      }
      try {
        const client = await connected()
        if (isNew && wasConnected) await client.query(`listen ${quoted(channel)}`)
      } catch (err) {
        forget()
        throw translated(err, 'listen')
      }
      return async () => {
        if (!forget()) return
        const client = await connection?.catch(() => null)
        await atMost(goodbyeMs, client?.query(`unlisten ${quoted(channel)}`))
      }
    },
    async close() {
      closed = true
      if (retry) clearTimeout(retry)
      const client = await connection?.catch(() => null)
      await atMost(goodbyeMs, client?.end())
    },
  }
}

const quoted = (channel: string): string => `"${channel.replaceAll('"', '""')}"`
