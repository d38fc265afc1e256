import { isRindleError } from '../../src/core/errors.ts'
import { createHandler } from '../../src/doors/http/create-handler.ts'
import type { ClientAnswer } from '../../src/testing/client-request.ts'
import { told } from '../told.ts'
import type { Bytes, Sendable, World } from './scenario.ts'
import type { Testbed } from './testbed.ts'
import type { Playing } from './playing.ts'

/** A person tries so often, and waits so long in between. */
const tries = 8
const pausesSeconds = [1, 5, 15, 60, 120, 600, 3_700]
/** So often a browser sends what got no answer. */
const sends = 6

/** What an app does with refusals, and a browser with lost connections: the calls of a world. `wait` lets so much time pass. */
export const createCalls = (
  { rindle, ctx, clock, bucket, witness }: Testbed,
  { breach, hear }: Pick<Playing, 'breach' | 'hear'>,
  wait: (seconds: number) => Promise<void>,
): Pick<World, 'call' | 'refused' | 'send' | 'fetch'> => {
  const repeated = async <T>(run: () => Promise<T>, meant: (err: unknown) => T | null): Promise<T> => {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await clock.during(run())
      } catch (err) {
        hear?.(err)
        if (!isRindleError(err)) breach(`an app was thrown what is no RindleError: ${told(err)}`)
        const answer = meant(err)
        if (answer !== null) return answer
        if (!isRindleError(err) || !err.retryable || attempt === tries) throw err
        await wait(pausesSeconds[attempt - 1] ?? 1)
      }
    }
  }
  const door = createHandler(rindle, { identify: () => null, authorize: () => true })
  const isOurs = (url: string): boolean => url.startsWith(`${ctx.baseUrl}/`)
  const answered = async (request: Sendable, body: Bytes | null): Promise<ClientAnswer> => {
    if (!isOurs(request.url)) return bucket().send({ ...request, ...(body ? { body } : {}) })
    const answer = await door(new Request(request.url, { method: request.method }))
    if (answer.status >= 500) throw new DOMException('it did not load', 'NetworkError')
    return { status: answer.status, headers: {}, body: new Uint8Array(await answer.arrayBuffer()) }
  }
  const asked = async (request: Sendable, body: Bytes | null): Promise<ClientAnswer | null> => {
    for (let attempt = 1; attempt <= sends; attempt += 1) {
      try {
        return await clock.during(answered(request, body))
      } catch (err) {
        if (!(err instanceof DOMException && err.name === 'NetworkError')) throw err
        clock.advance(1)
      }
    }
    return null
  }
  return {
    call: (run) => repeated(run, () => null),
    async refused(codes, run) {
      const code = await repeated(
        () => run().then(() => 'nothing'),
        (err) => (isRindleError(err) && codes.includes(err.code) ? err.code : null),
      )
      if (code === 'nothing') breach(`nothing was refused with ${codes.join(' or ')}`)
      return code
    },
    async send(signed, bytes) {
      const answer = await asked(signed, bytes)
      return answer !== null && (answer.status === 200 || answer.status === 412)
    },
    async fetch(url) {
      const answer = await asked({ method: 'GET', url, headers: {} }, null)
      if (answer?.status !== 200) return null
      if (!isOurs(url)) await witness.delivered(url, answer.body)
      return answer.body
    },
  }
}
