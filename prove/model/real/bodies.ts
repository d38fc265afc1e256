import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { unplayed } from '../../../src/core/played.ts'
import type { Facts, Jail, MadeVariant } from '../../../src/core/ports/jail.ts'
import type { Sent } from '../setup.ts'
import { pictureFacts } from '../../../src/core/variant-facts.ts'

/** What is sent under each name. Three of them are of one length. */
const texts: Readonly<Record<Sent, string>> = {
  a: 'a picture of a harbour, let us say',
  b: 'a picture of a garden,  let us say',
  x: 'no picture at all, whatever we say',
  w: 'shorter than it was said to be',
}

export const bodyOf = (sent: Sent): Uint8Array<ArrayBuffer> => new TextEncoder().encode(texts[sent])
export const declaredBytes = bodyOf('a').byteLength

const variantText = (sent: Sent): string => `a small copy of ${texts[sent]}`

const named = [
  ...sentNames().map((sent) => [sent, texts[sent]] as const),
  ...sentNames().map((sent) => [`~${sent}`, variantText(sent)] as const),
]

function sentNames(): readonly Sent[] {
  return ['a', 'b', 'x', 'w']
}

const digest = (algorithm: 'md5' | 'sha256', text: string): string => createHash(algorithm).update(text).digest('hex')

/** The name of what has such an MD5, which is its etag, or such a SHA-256. */
const byDigest = new Map(named.flatMap(([name, text]) => [[digest('md5', text), name] as const, [digest('sha256', text), name] as const]))

export const nameOf = (hex: string | null): string | null => (hex === null ? null : (byDigest.get(hex) ?? `unknown bytes ${hex}`))

const facts: Facts = {
  ...{ kind: 'image', contentType: 'image/png', extension: 'png', width: 8, height: 8, frames: 1, hasAlpha: false },
  ...{ ...unplayed, placeholder: null, dominantColor: null },
}

/** Reads the file that it is given and says of the two good ones that they pass. What it makes is named after what it was made of. */
export const createPlainJail = (): Jail => ({
  async visit({ path, folder, variants }) {
    const text = readFileSync(path, 'utf8')
    const sent = sentNames().find((one) => texts[one] === text)
    if (sent !== 'a' && sent !== 'b') return { verdict: 'refuse', code: 'mime_not_allowed', message: 'It is no picture.', details: {} }
    const made = variants.map(({ name }): MadeVariant => {
      const file = join(folder, name)
      const copy = variantText(sent)
      writeFileSync(file, copy)
      const measured = {
        contentType: 'image/jpeg',
        extension: 'jpg',
        ...pictureFacts({ width: 4, height: 4 }),
        byteSize: copy.length,
        sha256: digest('sha256', copy),
      }
      return { name, ok: true, path: file, ...measured }
    })
    return { verdict: 'pass', facts, rewritten: null, variants: made, figures: { gateCpuMs: 0, cpuMs: 0 } }
  },
  async warm() {},
  report: async () => ({ walls: [], versions: {}, decodes: ['image/png'], missing: {} }),
  async close() {},
})
