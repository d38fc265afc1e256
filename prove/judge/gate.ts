import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import type { Jail, Visit } from '../../src/core/ports/jail.ts'

/** What was seen of bytes before they may be served: hashes, lower-case hex. */
export interface GateWitness {
  wrap(jail: Jail): Jail
  /** To be told of every whole read of a key, by its end. */
  read(key: string, sha256: string): void
  /** Whether these bytes were seen by the jail and passed, or were made by it. */
  hasSeen(sha256: string): boolean
  /** Whether the first whole read of that key, which is the gate's, gave these bytes: what is only recognised does not come before the jail as a whole. */
  hasRead(key: string, sha256: string): boolean
}

export const createGateWitness = (): GateWitness => {
  const seen = new Set<string>()
  const reads = new Map<string, string>()
  const visit = async (jail: Jail, given: Visit): ReturnType<Jail['visit']> => {
    const came = given.excerpt ? null : await hashOf(given.path)
    const verdict = await jail.visit(given)
    if (verdict.verdict !== 'pass') return verdict
    if (came !== null && !verdict.rewritten) seen.add(came)
    if (verdict.rewritten) seen.add(await hashOf(verdict.rewritten.path))
    for (const made of verdict.variants) if (made.ok) seen.add(await hashOf(made.path))
    return verdict
  }
  return {
    wrap: (jail) => ({ ...jail, visit: (given) => visit(jail, given) }),
    read(key, sha256) {
      if (!reads.has(key)) reads.set(key, sha256)
    },
    hasSeen: (sha256) => seen.has(sha256),
    hasRead: (key, sha256) => reads.get(key) === sha256,
  }
}

const hashOf = async (path: string): Promise<string> => {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path)) hash.update(chunk)
  return hash.digest('hex')
}
