import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { playableTypes } from '../../../core/content-type.ts'
import { inputArguments } from './input.ts'

describe('the input of ffmpeg and ffprobe', () => {
  it('is one plain file, opened by one demuxer that follows no reference, with the listed decoders', () => {
    for (const type of playableTypes) {
      const args = inputArguments('/in/-film %03d.mp4', type)
      const valueOf = (name: string): string => {
        assert.equal(args.filter((one) => one === name).length, 1, `${type}: ${name}`)
        return args[args.indexOf(name) + 1] ?? ''
      }
      assert.equal(valueOf('-protocol_whitelist'), 'file')
      assert.match(valueOf('-f'), /^(?:mov|matroska|avi|mpeg|mpegts|ogg|mp3|aac|wav|flac|aiff|caf|amr)$/)
      assert.equal(valueOf('-format_whitelist'), valueOf('-f'))
      assert.ok(valueOf('-codec_whitelist').split(',').length > 20)
      assert.deepEqual(args.slice(-2), ['-i', 'file:/in/-film %03d.mp4'])
    }
    assert.throws(() => inputArguments('/in/list.m3u8', 'application/vnd.apple.mpegurl'), { code: 'type_unknown' })
  })

  it('is told in one place: nothing else starts one of them on a file, and by no shell', () => {
    const source = fileURLToPath(new URL('../../../', import.meta.url))
    const files = readdirSync(source, { recursive: true })
      .map(String)
      .filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'))
    const naming = (pattern: RegExp): string[] => files.filter((name) => pattern.test(readFileSync(join(source, name), 'utf8'))).toSorted()
    assert.deepEqual(naming(/\brunProgram\b/), ['adapters/processing/av/program.ts', 'adapters/processing/av/run.ts'])
    assert.deepEqual(naming(/\binputArguments\b/), ['adapters/processing/av/input.ts', 'adapters/processing/av/run.ts'])
    assert.deepEqual(naming(/shell: true|\bexecSync\b|\bexec\(`|import \{[^}]*\bexec\b[^}]*\} from 'node:child_process'/), [])
  })
})
