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
  /**
   * Whether what lies at the key was judged by these bytes: seen by the jail or, as what is only recognised does not come before it as a whole,
   * read from there first, which the gate does.
   */
  hasJudged(key: string, sha256: string): boolean
  forget(): void
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
    hasJudged: (key, sha256) => seen.has(sha256) || reads.get(key) === sha256,
    forget() {
      seen.clear()
      reads.clear()
    },
  }
}

const hashOf = async (path: string): Promise<string> => {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path)) hash.update(chunk)
  return hash.digest('hex')
}
