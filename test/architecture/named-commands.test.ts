import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { memory } from '../../src/adapters/storage/memory.ts'
import { invariants } from '../../src/core/invariants.ts'
import { commands } from '../../src/doors/cli/commands/index.ts'
import { createRindle, defineProfile } from '../../src/index.ts'
import { readSources, root } from './sources.ts'

const guides = readdirSync(join(root, 'docs/guides')).map((name) => ({ name, text: readFileSync(join(root, 'docs/guides', name), 'utf8') }))
const texts = [...readSources().filter(({ isTest }) => !isTest), ...guides]

describe('what cures, errors and guides tell to run', () => {
  it('is a command with flags that it has', () => {
    const always = ['app', 'json', 'help']
    let count = 0
    const found = texts.flatMap(({ name, text }) =>
      [...text.matchAll(/(?:`|npx )rindle ([a-z]+)([^`\n]*)/g)].flatMap(([said, named = '', rest = '']) => {
        count += 1
        const command = commands.find((one) => one.name === named)
        const flags = [...rest.replace(/#.*/, '').matchAll(/--([a-z-]+)/g)].map(([, flag = '']) => flag)
        const isKnown = command && flags.every((flag) => always.includes(flag) || Object.hasOwn(command.flags, flag))
        return isKnown ? [] : [`${name}: ${said}`]
      }),
    )
    assert.deepEqual(found, [])
    assert.ok(count > 40, `${count} found`)
  })

  it('is a call that Rindle has', () => {
    const note = defineProfile({ kind: 'file', storage: memory(), allowMime: ['text/plain'], maxBytes: 1 })
    const rindle = createRindle({
      profiles: { note },
      database: 'postgres://127.0.0.1:1/x',
      secrets: ['a secret of thirty-two bytes and more'],
    })
    const cures = Object.values(invariants).map(({ cure }) => cure)
    const calls = [...cures.join('\n').matchAll(/`rindle\.(\w+)\(/g)].map(([, name = '']) => name)
    assert.deepEqual([...new Set(calls)].sort(), ['cancelUpload', 'detach', 'purge'])
    for (const name of calls) assert.equal(typeof Reflect.get(rindle, name), 'function', name)
  })
})
