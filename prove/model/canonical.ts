import type { Setup } from './setup.ts'
import { type Actor, type Deleter, isOpen, type State, type Time } from './state.ts'

/**
 * The text of all that the future depends on: times are counted from now, and those that are past are alike; who does something does not
 * matter, nor in which order rows came. `withBudget`: what may still be done belongs to it.
 */
export const canonical = (state: State, setup: Setup, withBudget: boolean): string => {
  const { now } = state
  const ahead = (time: Time): string => (time === null ? '-' : time <= now ? '0' : String(time - now))
  const parts: string[] = []
  for (const { asset, session, variant, keys } of state.lives) {
    parts.push(asset ? `${asset.state}${asset.fence},${ahead(asset.due)},${asset.object},${asset.passed ? asset.gated : ''}` : 'x')
    parts.push(session ? `${session.state}${session.object},${ahead(session.due)},${isOpen(session) ? ahead(session.expires) : ''}` : 'x')
    parts.push(variant ? `${variant.state}${variant.fence},${ahead(variant.due)},${variant.object}` : 'x', String(keys))
  }
  parts.push(
    sorted(
      state.objects.map(
        ({ key, state: at, due, watch, etag, since }) =>
          `${key}${at}${ahead(due)},${ahead(watch)},${etag}${setup.rules.ownersDoom || since === now ? '' : '<'}`,
      ),
    ),
    sorted(state.attachments.map(({ slot, life, standing, due }) => `${slot},${life},${standing}${ahead(due)}`)),
    sorted(Object.entries(state.bucket).map(([key, bytes]) => key + bytes)),
    sorted(state.late.map(({ op, key, from, bytes, by }) => `${op}${key},${from},${bytes},${ahead(by + 1)}`)),
    sorted(state.tickets.map(({ key, end }) => key + ahead(end))),
    sorted(state.actors.map((actor) => textOf(actor, state, setup))),
  )
  if (withBudget) parts.push(Object.values(state.left).join())
  return parts.join('|')
}

const sorted = (texts: string[]): string => (texts.length < 2 ? (texts[0] ?? '') : texts.sort().join(';'))

const textOf = (actor: Actor, state: State, { durations }: Setup): string => {
  const ahead = (time: Time): string => (time === null ? '-' : String(Math.max(time - state.now, 0)))
  if (actor.who === 'verifier') return `V${actor.life}${actor.at}${actor.key},${actor.found}`
  if (actor.who === 'purger') return `P${actor.life}`
  if (actor.who === 'deleter') return `D${actor.at}${actor.key}${actor.state}${isPast(actor)}${ahead(actor.watch)}${actor.isGone}`
  const { life, job, at, fence, source, etag, sealed, read, heldUntil, renewAt, variantFence, variantKey, isStored } = actor
  const isFresh = state.lives[life]?.asset?.revision === actor.revision
  return [
    ...[`W${life}${job}${at}${fence}`, isFresh, source, etag, sealed, read, variantFence, variantKey, isStored],
    ...[Math.max(heldUntil - state.now, -1 - durations.ownWatch), ahead(renewAt)],
  ].join()
}

/** Whether the deletion was sent when nothing could land any more. */
const isPast = ({ at, watch, begun }: Deleter): boolean => at === 'settle' && (watch === null || watch <= begun)

/** 53 bits of two FNV-like hashes: among ten million states two are taken for one with a chance of less than one in a hundred. */
export const hashOf = (text: string): number => {
  let one = 0x811c9dc5
  let two = 0x1b873593
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at)
    one = Math.imul(one ^ code, 0x01000193)
    two = Math.imul(two ^ code, 0x85ebca6b) ^ (two >>> 13)
  }
  one = Math.imul(one ^ (one >>> 16), 0x21f0aaad)
  two = Math.imul(two ^ (two >>> 15), 0x735a2d97)
  return (one >>> 0) * 0x20_0000 + ((two ^ (two >>> 15)) & 0x1f_ffff)
}
