import { gzipSync } from 'node:zlib'
import { times } from '../files/bytes.ts'
import { bomb, type Bomb, type Family } from './bomb.ts'
import { laughs } from './jpeg.ts'

const drawing = (body: string, size = 'width="512" height="512"'): string =>
  `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" ${size}>${body}</svg>`

const svg = (name: string, text: string): Bomb => bomb(name, 'svg', Buffer.from(text))

/** Each level draws the one below ten times. */
const uses = (depth: number, breadth: number): string =>
  [
    '<g id="u0"><circle r="9"/></g>',
    ...times(depth, (at) => `<g id="u${at + 1}">${`<use xlink:href="#u${at}"/>`.repeat(breadth)}</g>`),
    `<use xlink:href="#u${depth}"/>`,
  ].join('')

const blurred = (deviation: number, more = ''): string =>
  `<filter id="f" x="-1000%" y="-1000%" width="3000%" height="3000%"><feGaussianBlur stdDeviation="${deviation}"/>${more}</filter><rect width="512" height="512" filter="url(#f)"/>`

export const svgDrawings: Family = {
  name: 'svg',
  bombs: [
    () => svg('uses of uses', drawing(uses(9, 10))),
    () => svg('uses of uses, deep', drawing(uses(2_000, 2))),
    () => svg('a use of itself', drawing('<g id="a"><use xlink:href="#a"/><use xlink:href="#a"/></g><use xlink:href="#a"/>')),
    () => svg('a billion laughs', laughs(drawing('<text>&l9;</text>'))),
    () =>
      svg(
        'quadratic laughs',
        `<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY a "${'a'.repeat(500_000)}">]>${drawing(`<text>${'&a;'.repeat(20_000)}</text>`)}`,
      ),
    () => svg('a filter of 100,000', drawing(blurred(100_000))),
    () =>
      svg(
        '1,000 filters',
        drawing(
          blurred(50, '<feTurbulence numOctaves="9000" baseFrequency="0.9"/><feMorphology operator="dilate" radius="900"/>'.repeat(500)),
        ),
      ),
    () => svg('millions by millions', drawing('<rect width="9" height="9"/>', 'width="9999999" height="9999999"')),
    () => svg('64 megapixels', drawing('<rect width="8000" height="8000" fill="red"/>', 'width="8000" height="8000"')),
    () =>
      svg(
        'a pattern of nothing',
        drawing(
          '<pattern id="p" width="0.0001" height="0.0001" patternUnits="userSpaceOnUse"><rect width="1" height="1"/></pattern><rect width="512" height="512" fill="url(#p)"/>',
        ),
      ),
    () => svg('100,000 groups in groups', drawing(`${'<g>'.repeat(100_000)}${'</g>'.repeat(100_000)}`)),
    () => svg('dashes without end', drawing('<path d="M0 0H1e9" stroke="red" stroke-dasharray="0.00001"/>')),
    () => bomb('a compressed drawing of 300 MB', 'svg', gzipSync(Buffer.from(drawing(' '.repeat(300_000_000))))),
  ],
}
