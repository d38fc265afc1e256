import { objectAt } from './rows.ts'
import { deliverable, inGate, isOpen, type Life, roleOf, type State } from './state.ts'

/** Every promise that does not hold in this state, whatever may come of it. */
export const breachesOf = (state: State): string[] => {
  const found: string[] = []
  for (const key of Object.keys(state.bucket)) if (!objectAt(state, key)) found.push(`an object without a row lies at ${key}`)
  state.lives.forEach((life, number) => {
    breachesOfOriginal(state, life, number, found)
    breachesOfVariant(state, life, number, found)
    breachesOfUpload(state, life, number, found)
    const isAttached = state.attachments.some((row) => row.life === number && row.standing !== 'released')
    if (isAttached && (!life.asset || life.asset.state === 'deleted')) found.push(`asset ${number} is attached, and purged`)
  })
  return found
}

const breachesOfOriginal = (state: State, { asset }: Life, number: number, found: string[]): void => {
  if (!asset || !deliverable.includes(asset.state)) return
  const row = objectAt(state, asset.object)
  const bytes = state.bucket[asset.object ?? '']
  if (row?.state !== 'present') found.push(`the original of asset ${number} is served, and ${row?.state ?? 'has no row'}`)
  if (bytes === undefined) found.push(`the original of asset ${number} is served, and nothing is there`)
  else if (bytes !== asset.gated) found.push(`of asset ${number} ${bytes} is served, and the gate saw ${asset.gated}`)
  if (asset.gated !== 'a' && asset.gated !== 'b') found.push(`the gate let ${asset.gated} pass as asset ${number}`)
}

const breachesOfVariant = (state: State, { asset, variant }: Life, number: number, found: string[]): void => {
  const present = state.objects.filter(({ key, life, state: at }) => life === number && at === 'present' && roleOf(key) === 'variant')
  if (present.length > 1) found.push(`the variant of asset ${number} was made ${present.length} times`)
  if (!asset || !deliverable.includes(asset.state) || !variant || variant.object === null) return
  const bytes = state.bucket[variant.object]
  if (objectAt(state, variant.object)?.state !== 'present')
    found.push(`the variant of asset ${number} is served, and its object is not present`)
  if (bytes !== `~${asset.gated}`) found.push(`the variant of asset ${number} is ${bytes ?? 'not there'}, and not of ${asset.gated}`)
}

const breachesOfUpload = (state: State, { asset, session }: Life, number: number, found: string[]): void => {
  const row = objectAt(state, session?.object ?? null)
  if (isOpen(session) && row?.state !== 'reserved') found.push(`upload ${number} is open, and its object is ${row?.state ?? 'gone'}`)
  if (!asset) return
  const kept = objectAt(state, asset.object)
  if (asset.object !== null && !deliverable.includes(asset.state)) {
    if (kept?.state !== 'present' || !(kept.key in state.bucket))
      found.push(`asset ${number} is kept in ${asset.state}, and its bytes are lost`)
    return
  }
  if (asset.passed || !inGate.includes(asset.state)) return
  const source = state.objects.find(({ key, life, state: at }) => life === number && at === 'present' && roleOf(key) === 'staging')
  if (!source || !(source.key in state.bucket)) found.push(`upload ${number} was accepted, and its bytes are lost`)
}

/** What of a state at its end is not as an end has to be, once nothing is due any more. */
export const unrestOf = (state: State): string[] => {
  const found = breachesOf(state)
  for (const { key, state: at } of state.objects) {
    if (at !== 'present') found.push(`nothing is due, and the object at ${key} is still ${at}`)
    else if (!(key in state.bucket)) found.push(`nothing is at ${key}, and its row says present`)
  }
  state.lives.forEach(({ asset, session, variant }, number) => {
    if (isOpen(session)) found.push(`nothing is due, and upload ${number} is still open`)
    const isStuck = asset && (asset.state === 'staged' || asset.state === 'deleted' || inGate.includes(asset.state))
    if (isStuck) found.push(`nothing is due, and asset ${number} is still ${asset.state}`)
    const isOwed = variant?.state === 'queued' || variant?.state === 'processing'
    if (isOwed) found.push(`nothing is due, and the variant of asset ${number} is still ${variant.state}`)
    if (asset && deliverable.includes(asset.state) && asset.state !== restingState(variant))
      found.push(`asset ${number} is ${asset.state}, and its variant ${variant?.state ?? 'not there'}`)
  })
  for (const { standing, slot } of state.attachments)
    if (standing !== 'current') found.push(`slot ${slot} still has a row that is ${standing}`)
  return found
}

const restingState = (variant: Life['variant']): string =>
  !variant || variant.state === 'purged' ? 'available' : variant.state === 'ready' ? 'ready' : 'degraded'
