import { mkdirSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createJail } from '../src/adapters/processing/jail.ts'
import { memory } from '../src/adapters/storage/memory.ts'
import { isRindleError } from '../src/core/errors.ts'
import { image } from '../src/core/image-recipe.ts'
import type { MetadataPolicy } from '../src/core/metadata-policy.ts'
import type { Facts, Jail, Verdict, Visit } from '../src/core/ports/jail.ts'
import { defineProfile } from '../src/core/profile-definition.ts'
import { planVariants } from '../src/core/variant-plan.ts'
import { encodingRulesOf, visitRulesOf } from '../src/core/visit-rules.ts'
import type { Proof, ProofContext } from './harness.ts'
import type { Tagged } from './privacy/tagged-file.ts'
import { canariesIn, isPlace, keptTags } from './privacy/judge.ts'
import { broughtAlong, makeTalkingFilm, playedRecipes } from './privacy/played.ts'
import { makeSources, sourceNames } from './privacy/sources.ts'
import { makeTagged } from './privacy/tagged.ts'
import { decodedDigest, probedTags, type Tag, tagsOf } from './privacy/tools.ts'
import { throughRindle } from './privacy/whole.ts'

/** One file after a visit. */
interface Seen {
  readonly tagged: Tagged
  readonly policy: MetadataPolicy
  /** What would be served in place of what came, or what came. */
  readonly served: string
  readonly facts: Facts
  readonly variants: readonly string[]
}

const lanes = 2
/** Every so many files are also served without any metadata, and as they came. */
const every = { strip: 4, keep: 12 }
/** Of so many films and sounds all is made that can be, where that takes longer than all the rest. */
const playedInCi = 2

/** Files with places in every form that tools write go through the gate; then other tools look for what is left, and for what was lost. */
export const privacy: Proof = {
  name: 'privacy',
  means:
    'no place is left in what is served or made of it, and nothing else is lost: pixels, samples, orientation, colours and what the camera says stay',
  unit: 'files',
  amount: { ci: 12, full: 320 },
  shows: { variants: 'variants', refused: 'refused in words' },
  async run(context) {
    const { folder, random, amount, size } = context
    const some = size === 'ci' ? new Set(random.shuffle([...sourceNames]).slice(0, 5)) : new Set(sourceNames)
    const sources = await makeSources(folder, random, (name) => some.has(name) || name === 'jpeg' || name === 'png')
    const order = <T>(all: readonly T[]): readonly T[] => random.shuffle([...all]).slice(0, amount)
    const all = await makeTagged(folder, sources, order)
    const files = [await makeTalkingFilm(folder), ...(size === 'ci' ? random.shuffle(all).slice(1, amount) : all)]
    const before = await tagsOf(
      folder,
      files.map(({ path }) => path),
    )
    const { seen, refused } = await visitAll(context, files)
    const after = await tagsOf(
      folder,
      seen.flatMap(({ served, variants }) => [served, ...variants]),
    )
    const digests = createDigests(context)
    await inLanes(seen, (one) => judge(context, one, { before, after, digests }))
    const whole = size === 'ci' ? 0 : await throughRindle(context, order(files).slice(0, 24))
    const counted = seen.filter(({ policy }) => policy === 'strip-location').length
    const variants = seen.reduce((sum, one) => sum + one.variants.length, 0)
    return {
      runs: counted,
      figures: { variants, refused, stripped: seen.filter(({ policy }) => policy === 'strip').length, served: whole },
    }
  },
}

const visitAll = async (context: ProofContext, files: readonly Tagged[]): Promise<{ seen: Seen[]; refused: number }> => {
  const jail = createJail({ logger: { debug() {}, info() {}, warn() {}, error() {} }, concurrency: lanes })
  const wishes = files.flatMap((tagged, index) => {
    const policies: MetadataPolicy[] = ['strip-location']
    if (index % every.strip === 0) policies.push('strip')
    if (index % every.keep === 0) policies.push('keep')
    return policies.map((policy) => ({ tagged, policy }))
  })
  const films = files.filter(isPlayed)
  const playing = new Set(context.size === 'ci' ? films.slice(0, playedInCi) : films)
  const seen: Seen[] = []
  let refused = 0
  try {
    await inLanes(wishes, async ({ tagged, policy }) => {
      const found = context.signal.aborted ? null : await visit(context, jail, tagged, policy)
      if (found === 'refused') refused += 1
      else if (found) seen.push(policy === 'strip-location' && playing.has(tagged) ? await played(context, jail, found) : found)
    })
  } finally {
    await jail.close()
  }
  return { seen, refused }
}

const inLanes = async <T>(list: readonly T[], work: (one: T) => Promise<void>): Promise<void> => {
  const waiting = [...list]
  const lane = async (): Promise<void> => {
    for (let one = waiting.shift(); one; one = waiting.shift()) await work(one)
  }
  await Promise.all(Array.from({ length: lanes }, lane))
}

const storage = memory({ name: 'privacy' })
/** The limits are those of every profile that says nothing else, the clock of the gate included. */
const rulesFor = (type: string, policy: MetadataPolicy) =>
  visitRulesOf(defineProfile({ storage, allowMime: [type], maxBytes: 20_000_000, originals: { metadata: policy } }))

const visit = async ({ breach }: ProofContext, jail: Jail, tagged: Tagged, policy: MetadataPolicy): Promise<Seen | 'refused' | null> => {
  const { source, path, tagging } = tagged
  const isPicture = !isPlayed(tagged)
  const verdict = await visited(jail, `${path}.${policy}`, {
    ...rulesFor(source.type, policy),
    ...{ path, purpose: 'gate', filename: `came.${source.extension}` },
    variants: isPicture
      ? [
          { name: 'small', recipe: image({ width: 48 }) },
          { name: 'webp', recipe: image({ width: 32, format: 'webp' }) },
        ]
      : [],
  })
  if (verdict.verdict === 'refuse' && tagged.mayBeRefused && verdict.code === 'metadata_not_removable') return 'refused'
  if (verdict.verdict === 'refuse')
    return (breach(`${source.name} ${tagging} under ${policy} was refused: ${verdict.code} ${verdict.message}`), null)
  const variants = verdict.variants.flatMap((made) => (made.ok ? [made.path] : []))
  if (isPicture && variants.length !== 2) breach(`${source.name} ${tagging} has ${variants.length} variants of 2`)
  return { tagged, policy, served: verdict.rewritten?.path ?? path, facts: verdict.facts, variants }
}

const isPlayed = ({ source }: Tagged): boolean => !source.type.startsWith('image/')

/** With what is made of it as it came: whatever that tells is not to be in any of it. */
const played = async ({ breach }: ProofContext, jail: Jail, seen: Seen): Promise<Seen> => {
  const { source, path, tagging } = seen.tagged
  const profile = defineProfile({ storage, allowMime: [source.type], maxBytes: 20_000_000, variants: playedRecipes(source.type) })
  const wishes = planVariants(profile, seen.facts).map(({ name, recipe }) => ({ name, recipe }))
  const rules = visitRulesOf(profile)
  const { timeoutMs, encoding } = encodingRulesOf(seen.facts.durationMs, wishes)
  const verdict = await visited(jail, `${path}.played`, {
    ...{ ...rules, path, purpose: 'build', filename: `came.${source.extension}`, variants: wishes, encoding },
    limits: { ...rules.limits, timeoutMs },
  })
  const all = verdict.verdict === 'pass' ? verdict.variants : []
  const made = all.flatMap((one) => (one.ok ? [one.path] : []))
  if (made.length < wishes.length || wishes.length === 0)
    breach(`of ${source.name} ${tagging} ${made.length} variants are made of ${wishes.length}: ${JSON.stringify(verdict)}`)
  return { ...seen, variants: made }
}

const mostVisits = 4

/** Once more where the machine was too busy to look at it within the clock of the gate, as a worker would. */
const visited = async (jail: Jail, folder: string, wish: Omit<Visit, 'folder'>): Promise<Verdict> => {
  for (let visits = 1; ; visits += 1) {
    mkdirSync(`${folder}.${visits}`)
    try {
      return await jail.visit({ ...wish, folder: `${folder}.${visits}` })
    } catch (err) {
      if (visits === mostVisits || !isRindleError(err) || err.code !== 'decoder_starved') throw err
    }
  }
}

interface Evidence {
  readonly before: ReadonlyMap<string, readonly Tag[]>
  readonly after: ReadonlyMap<string, readonly Tag[]>
  readonly digests: (path: string, type: string) => Promise<string>
}

const judge = async ({ breach }: ProofContext, { tagged, policy, served, variants }: Seen, evidence: Evidence): Promise<void> => {
  const { source, tagging, path } = tagged
  const named = `${source.name} ${tagging} under ${policy}`
  const came = evidence.before.get(path) ?? []
  if (!came.some(isPlace) && (await canariesIn(path)).length === 0) breach(`${named} held no place when it came`)
  for (const variant of variants) {
    await findPlaces(breach, `a variant of ${named}`, variant, evidence.after.get(variant) ?? [])
    const brought = isPlayed(tagged) && !variant.endsWith('.json') ? broughtAlong(await probedTags(variant)) : []
    if (brought.length > 0) breach(`a variant of ${named} tells ${brought.map(({ name, value }) => `${name} ${value}`).join(', ')}`)
  }
  if (policy === 'keep') {
    if (!(await readFile(served)).equals(await readFile(path))) breach(`${named} is not what came`)
    return
  }
  const left = evidence.after.get(served) ?? []
  await findPlaces(breach, named, served, left)
  if (isPlayed(tagged)) {
    const places = (await probedTags(served)).filter(isPlace)
    if (places.length > 0) breach(`${named} still has ${places.map(({ name }) => name).join(', ')} for ffprobe`)
  }
  // A profile written as text in a PNG goes as a whole, with what else it says.
  const [wanted, found] = [keptTags(came, policy), keptTags(left, policy)]
  if (!/^raw-/.test(tagging) && wanted.join() !== found.join()) breach(`${named} had ${wanted.join(' ')}, and has ${found.join(' ')}`)
  if (!tagged.isOnlyParts && (await evidence.digests(source.path, source.type)) !== (await evidence.digests(served, source.type)))
    breach(`${named} is drawn or heard differently`)
  for (const [index, part] of (tagged.parts ?? []).entries()) {
    const cut = `${served}.${index}.${part.source.extension}`
    await writeFile(cut, (await readFile(served)).subarray(part.start, part.end))
    if ((await evidence.digests(part.source.path, part.source.type)) !== (await evidence.digests(cut, part.source.type)))
      breach(`${part.source.name} in ${named} is drawn or played differently`)
  }
}

const findPlaces = async (breach: (text: string) => void, named: string, path: string, tags: readonly Tag[]): Promise<void> => {
  if (tags.length === 0) breach(`exiftool could not read ${named}`)
  const places = tags.filter(isPlace)
  if (places.length > 0) breach(`${named} still has ${places.map(({ group, name, value }) => `${group}:${name} ${value}`).join(', ')}`)
  const canaries = await canariesIn(path)
  if (canaries.length > 0) breach(`${named} still has the bytes of ${canaries.join(', ')}`)
}

/** What was decoded once is not decoded again. */
const createDigests = ({ folder }: ProofContext): Evidence['digests'] => {
  const known = new Map<string, Promise<string>>()
  return (path, type) => {
    const digest = known.get(path) ?? decodedDigest(path, type, join(folder, `decoded-${known.size}.png`))
    known.set(path, digest)
    return digest
  }
}
