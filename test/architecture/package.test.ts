import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { root } from './sources.ts'

type Manifest = {
  license: string
  private: boolean
  exports: Record<string, string | Record<string, string>>
  dependencies: Record<string, string>
  devDependencies: Record<string, string>
  peerDependencies: Record<string, string>
  peerDependenciesMeta: Record<string, { optional: boolean }>
}
type Locked = {
  dev?: boolean
  optional?: boolean
  peer?: boolean
  devOptional?: boolean
  hasInstallScript?: boolean
  version: string
  resolved?: string
}

const manifest: Manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const lock: { packages: Record<string, Locked> } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'))
const shipped = Object.entries(lock.packages).filter(
  ([path, { dev, devOptional, peer, optional }]) => path !== '' && !dev && !devOptional && !peer && !optional,
)

describe('the package', () => {
  it('brings at most twelve packages, and fifty with theirs', () => {
    assert.ok(Object.keys(manifest.dependencies).length <= 12, `${Object.keys(manifest.dependencies).length} direct ones`)
    assert.ok(shipped.length >= Object.keys(manifest.dependencies).length && shipped.length <= 50, `${shipped.length} in all`)
  })

  it('runs no script at its installation', () => {
    assert.deepEqual(
      shipped.filter(([, { hasInstallScript }]) => hasInstallScript).map(([path]) => path),
      [],
    )
  })

  it('lets an app take fixes of what it depends on, and pins what it is built with', () => {
    // pg-boss is an exception: each of its minors brings another schema, and rindle migrate is what brings a schema.
    const { 'pg-boss': queue, ...dependencies } = manifest.dependencies
    assert.match(queue ?? '', /^\d/)
    const ranges = { ...dependencies, ...manifest.peerDependencies }
    assert.deepEqual(
      Object.entries(ranges).filter(([, range]) => !range.startsWith('^')),
      [],
    )
    assert.deepEqual(
      Object.entries(manifest.devDependencies).filter(([, version]) => !/^\d/.test(version)),
      [],
    )
  })

  it('asks for its peers without insisting', () => {
    assert.deepEqual(
      Object.keys(manifest.peerDependencies).filter((peer) => !manifest.peerDependenciesMeta[peer]?.optional),
      [],
    )
  })

  it('records no address of a registry', () => {
    assert.deepEqual(
      Object.entries(lock.packages)
        .filter(([, { resolved }]) => resolved !== undefined)
        .map(([path]) => path),
      [],
    )
  })

  it('has a source behind every subpath', () => {
    const missing = Object.entries(manifest.exports).flatMap(([subpath, target]) => {
      const source = typeof target === 'string' ? target : target['rindle-source']
      return source !== undefined && existsSync(join(root, source)) ? [] : [`${subpath} → ${source}`]
    })
    assert.deepEqual(missing, [])
  })

  it('is private and MIT until it has a public name', () => {
    assert.equal(manifest.private, true)
    assert.equal(manifest.license, 'MIT')
    assert.match(readFileSync(join(root, 'LICENSE'), 'utf8'), /^MIT License/)
  })
})

describe('the pages', () => {
  it('ARCHITECTURE.md fits on one page', () => {
    const text = readFileSync(join(root, 'ARCHITECTURE.md'), 'utf8')
    assert.ok(text.split('\n').length <= 100, `${text.split('\n').length} lines`)
    assert.ok(text.split(/\s+/).length <= 1200, `${text.split(/\s+/).length} words`)
  })

  it('speak of the project alone', () => {
    const foreign = /\bupstream\b|\bTODO\b|\bFIXME\b|\/work\/|npm install rindle\b/
    const found = ['src', 'test', 'bench', 'prove', 'scripts', 'docs', 'examples']
      .filter((folder) => existsSync(join(root, folder)))
      .flatMap((folder) => readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name)))
      .concat(readdirSync(root).filter((name) => name.endsWith('.md')))
      .filter((name) => /\.(tsx?|mjs|md|css|html)$/.test(name) && !/node_modules|test\/architecture\/package\.test/.test(name))
      .filter((name) => foreign.test(readFileSync(join(root, name), 'utf8')))
    assert.deepEqual(found, [])
  })
})
