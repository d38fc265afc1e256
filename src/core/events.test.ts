import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { assetMachine } from './asset.ts'
import { eventCatalog, eventNameOf } from './events.ts'
import type { Machine } from './machine.ts'
import { objectMachine } from './object.ts'
import { runMachine } from './run.ts'
import { uploadSessionMachine } from './upload-session.ts'
import { variantMachine } from './variant.ts'

describe('the catalogue of events', () => {
  const machines: readonly Machine[] = [assetMachine, variantMachine, uploadSessionMachine, objectMachine, runMachine]
  const catalog: Readonly<Record<string, Readonly<Record<string, { readonly name: string }>>>> = eventCatalog

  for (const { entity, moves } of machines) {
    it(`names what happens to a row of ${entity}`, () => {
      const named = Object.keys(catalog[entity] ?? {})
      assert.deepEqual(
        ['born', ...Object.keys(moves)].filter((move) => !named.includes(move)),
        [],
      )
    })
  }

  it('gives every event a name of its own, in the past tense of its move', () => {
    const names = Object.entries(catalog).flatMap(([entity, moves]) => Object.values(moves).map(({ name }) => `${entity}.${name}`))
    assert.equal(new Set(names).size, names.length)
    assert.ok(names.every((name) => /^[a-z_]+\.[a-z_]+$/.test(name)))
  })

  it('lets a move that it does not know go by its own name', () => {
    assert.equal(eventNameOf('asset', 'finish'), 'asset.ready')
    assert.equal(eventNameOf('asset', 'teleport'), 'asset.teleport')
  })
})
