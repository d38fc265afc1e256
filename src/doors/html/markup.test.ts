import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createRandom } from '../../../test/services/random.ts'
import { isRindleError } from '../../core/errors.ts'
import { escapeHtml, ownAttributes, renderAttributes } from './markup.ts'

/** What a browser makes of the attributes of one tag, by the tokeniser of the HTML standard. */
const readAttributes = (html: string): [string, string][] => {
  const found: [string, string][] = []
  let rest = html
  for (let match = next(rest); match; match = next(rest)) {
    found.push([match[1] ?? '', unescaped(match[2] ?? '')])
    rest = rest.slice(match[0].length)
  }
  assert.equal(rest, '', 'everything was an attribute')
  return found
}
const next = (html: string): RegExpExecArray | null => /^ ([^\s"'<>/=]+)(?:="([^"]*)")?/.exec(html)
const unescaped = (text: string): string =>
  text.replace(
    /&(amp|lt|gt|quot|#39|#96);/g,
    (_, name: string) => ({ amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'", '#96': '`' })[name] ?? '',
  )

describe('markup', () => {
  it('escapes what has a meaning in HTML', () => {
    assert.equal(escapeHtml(`<a href="x" b='y'>&\`\0`), '&lt;a href=&quot;x&quot; b=&#39;y&#39;&gt;&amp;&#96;')
  })

  it('gives back any text, and lets none out of its attribute', () => {
    const random = createRandom(20261122)
    const pieces = [
      '"',
      "'",
      '<',
      '>',
      '&',
      '`',
      '=',
      ' ',
      '\n',
      '\t',
      '/',
      'onerror=',
      '</picture>',
      '<script>',
      '&quot;',
      '&#34;',
      'x',
      'é',
      '😀',
      '\u2028',
      '-->',
    ]
    for (let round = 0; round < 3000; round += 1) {
      const values = Array.from({ length: 3 }, () => Array.from({ length: random.int(12) }, () => random.pick(pieces)).join(''))
      const html = renderAttributes({ alt: values[0] ?? '', 'data-x': values[1] ?? '', src: values[2] ?? '' })
      assert.deepEqual(
        readAttributes(html),
        [
          ['alt', values[0]],
          ['data-x', values[1]],
          ['src', values[2]],
        ],
        JSON.stringify(values),
      )
      assert.doesNotMatch(html, /[<>]/)
    }
  })

  it('leaves out null and false, and writes true as the bare name', () => {
    assert.equal(renderAttributes({ a: null, b: false, c: true, d: 0, e: '' }), ' c d="0" e=""')
  })

  it('sorts the attributes of the app and refuses those that could do harm', () => {
    assert.deepEqual(Object.keys(ownAttributes({ loading: 'lazy', Class: 'x', 'data-id': 1 }, ['src'])), ['class', 'data-id', 'loading'])
    for (const name of ['onload', 'onClick', 'src', 'SRC', 'a b', 'x>', 'x"', 'x=', '', '1x', 'x/'])
      assert.throws(
        () => ownAttributes({ [name]: 'x' }, ['src']),
        (err) => isRindleError(err) && err.code === 'argument_invalid',
        name,
      )
  })
})
