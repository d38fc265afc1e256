/**
 * True when no block of a GIF breaks off. libvips draws what it can of a cut animation and says nothing, so this is looked at here.
 * A missing trailer alone is forgiven: many encoders forget it.
 *
 * @see https://www.w3.org/Graphics/GIF/spec-gif89a.txt
 */
export const isWholeGif = (bytes: Uint8Array): boolean => {
  const tableBytes = (flags: number): number => (flags & 0x80 ? 3 * 2 ** ((flags & 7) + 1) : 0)
  let at = 13 + tableBytes(bytes[10] ?? 0)
  while (at < bytes.length) {
    const block = bytes[at]
    if (block === trailer) return true
    if (block === image) at += 11 + tableBytes(bytes[at + 9] ?? 0)
    else if (block === extension) at += 2
    else return true
    const end = endOfSubBlocks(bytes, at)
    if (end === null) return false
    at = end
  }
  return at === bytes.length
}

const trailer = 0x3b
const image = 0x2c
const extension = 0x21

const endOfSubBlocks = (bytes: Uint8Array, start: number): number | null => {
  for (let at = start; ;) {
    const length = bytes[at]
    if (length === undefined) return null
    at += 1 + length
    if (length === 0) return at
  }
}
