import type { MetadataPolicy } from '../../../core/metadata-policy.ts'
import { type Bytes, isRefusal, partOf } from './bytes.ts'

/** Content location code and name; city, sublocation, province, country code and name, by their numbers in record 2. */
const placeDatasets: ReadonlySet<number> = new Set([26, 27, 90, 92, 95, 100, 101])
const mostBytes = 16_777_216

/** Takes the places out of an IPTC record, the rest moved together and the end zero; one that cannot be read goes as a whole. */
export const stripIptc = (bytes: Bytes, policy: MetadataPolicy): void => {
  const kept = policy === 'strip' || bytes.size > mostBytes ? null : withoutPlaces(bytes.read(0, bytes.size))
  if (kept) bytes.write(0, kept)
  bytes.fill(kept?.length ?? 0, bytes.size, 0)
}

const withoutPlaces = (record: Buffer): Buffer | null => {
  const kept: Buffer[] = []
  let at = 0
  while (at + 5 <= record.length && record[at] === 0x1c) {
    let length = record.readUInt16BE(at + 3)
    let start = at + 5
    if (length & 0x8000) {
      const width = length & 0x7fff
      if (width < 1 || width > 4 || start + width > record.length) return null
      length = record.readUIntBE(start, width)
      start += width
    }
    if (start + length > record.length) return null
    if (!(record[at + 1] === 2 && placeDatasets.has(record[at + 2] ?? 0))) kept.push(record.subarray(at, start + length))
    at = start + length
  }
  return record.subarray(at).every((byte) => byte === 0) ? Buffer.concat(kept) : null
}

/** What a resource block of Photoshop holds, for what has its own form. */
interface ResourceForms {
  readonly exif: (bytes: Bytes) => void
  readonly xmp: (bytes: Bytes) => void
  readonly picture: (bytes: Bytes) => void
}

/** Goes through Photoshop's resource blocks; from where they cannot be read on, they are zero. */
export const stripPhotoshop = (bytes: Bytes, policy: MetadataPolicy, forms: ResourceForms): void => {
  if (policy === 'strip') return bytes.fill(0, bytes.size, 0)
  let at = 0
  try {
    while (at + 12 <= bytes.size) at = stripResource(bytes, at, policy, forms)
    if (at < bytes.size) bytes.fill(at, bytes.size, 0)
  } catch (err) {
    if (!isRefusal(err)) throw err
    bytes.fill(at, bytes.size, 0)
  }
}

const stripResource = (bytes: Bytes, at: number, policy: MetadataPolicy, forms: ResourceForms): number => {
  const head = bytes.read(at, 7)
  if (!/^(?:8BIM|PHUT|DCSR|AgHg|MeSa)$/.test(head.toString('latin1', 0, 4))) return bytes.refuse()
  const id = head.readUInt16BE(4)
  const named = at + 6 + (((head[6] ?? 0) + 2) & ~1)
  const length = bytes.read(named, 4).readUInt32BE(0)
  const start = named + 4
  if (start + length > bytes.size) return bytes.refuse()
  const held = partOf(bytes, start, start + length)
  if (id === 0x0404) stripIptc(held, policy)
  else if (id === 0x0422 || id === 0x0423) forms.exif(held)
  else if (id === 0x0424) forms.xmp(held)
  else if ((id === 0x0409 || id === 0x040c) && length > 28) forms.picture(partOf(held, 28))
  return Math.min(bytes.size, start + length + (length & 1))
}
