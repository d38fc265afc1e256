import type { Random } from '../harness.ts'

/** A query as it stands in an address: nothing is decoded, so that nothing changes but what is meant to. */
type Pairs = readonly (readonly [name: string, value: string])[]

const parts = (url: string): { readonly before: string; readonly pairs: Pairs } => {
  const [before = '', query = ''] = url.split('?')
  const pairs = query.split('&').map((pair): [string, string] => {
    const [name = '', value = ''] = pair.split('=')
    return [name, value]
  })
  return { before, pairs }
}

const join = (before: string, pairs: Pairs): string => `${before}?${pairs.map(([name, value]) => `${name}=${value}`).join('&')}`

export const parameter = (url: string, wanted: string): string => parts(url).pairs.find(([name]) => name === wanted)?.[1] ?? ''

/** The address with other values; null takes a parameter away, an unknown name adds one. */
export const withParameters = (url: string, changes: Readonly<Record<string, string | null>>): string => {
  const { before, pairs } = parts(url)
  const kept = pairs.flatMap(([name, value]): Pairs => {
    const change = changes[name]
    return change === null ? [] : [[name, change ?? value]]
  })
  const known = new Set(pairs.map(([name]) => name))
  const added = Object.entries(changes).flatMap(([name, value]): Pairs => (known.has(name) || value === null ? [] : [[name, value]]))
  return join(before, [...kept, ...added])
}

export const keyOf = (url: string): string => parts(url).before.slice(new URL(url).origin.length)

/** The same query for another path. */
export const withKey = (url: string, path: string): string => join(`${new URL(url).origin}${path}`, parts(url).pairs)

const otherOf = (text: string, letters: string, random: Random): string => {
  const at = random.int(text.length)
  const letter = random.pick([...letters].filter((one) => one !== text[at]))
  return `${text.slice(0, at)}${letter}${text.slice(at + 1)}`
}

/** Another signature than this. */
export const otherSignature = (signature: string, another: string, random: Random): string | null =>
  random.pick([
    () => otherOf(signature, '0123456789abcdef', random),
    () => signature.slice(0, -1),
    () => `${signature}0`,
    () => [...signature].reverse().join(''),
    () => '0'.repeat(64),
    () => '',
    () => null,
    () => another,
  ])()

/** Another path than this, in the same bucket. */
export const otherPath = (path: string, others: readonly string[], random: Random): string => {
  const inBucket = path.indexOf('/', 1) + 1
  const other = random.pick([
    () => path.slice(0, inBucket) + otherOf(path.slice(inBucket), 'abcdefghijklmnopqrstuvwxyz0123456789', random),
    () => `${path}x`,
    () => path.slice(0, -1),
    () => path.replace('/staging/', '/sealed/'),
    () => path.replace('/staging/', '/unmanaged/'),
    () => path.slice(0, inBucket - 1),
    () => random.pick(others),
    () => random.pick(others),
  ])()
  return other === path ? `${path}x` : other
}

/** Another instant than the one in `20260101T120000Z`. */
export const otherDate = (stamp: string, random: Random): string => {
  const iso = stamp.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z')
  const moved = new Date(Date.parse(iso) + random.pick([-86_400, -60, -1, 1, 60, 600, 86_400]) * 1000)
  return moved.toISOString().replace(/[-:]|\.\d+/g, '')
}
