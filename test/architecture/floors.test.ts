import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import ts from 'typescript'
import { type Import, importsOf, offences, packageOf, readSources, type Source } from './sources.ts'

type Room = {
  readonly floor: number
  readonly pattern: RegExp
  /** What it may import beside itself, as rooms. */
  readonly imports: readonly string[]
  /** True where one file must not import another of the same room. */
  readonly apart?: true
}

/** The first pattern that matches a path tells its room. A file may import its own room and the rooms named; nothing else. Types count. */
const rooms: Readonly<Record<string, Room>> = {
  core: { floor: 0, pattern: /^core\//, imports: [] },
  wire: { floor: 1, pattern: /^wire\//, imports: ['core'] },
  database: { floor: 1, pattern: /^database\//, imports: ['core'] },
  'adapters/storage': { floor: 2, pattern: /^adapters\/storage\//, imports: ['core', 'database'] },
  'adapters/processing': { floor: 2, pattern: /^adapters\/processing\//, imports: ['core', 'database'] },
  'adapters/queue': { floor: 2, pattern: /^adapters\/queue\//, imports: ['core', 'database'] },
  'adapters/telemetry': { floor: 2, pattern: /^adapters\/telemetry\//, imports: ['core', 'database'] },
  'adapters/scanners': { floor: 2, pattern: /^adapters\/scanners\//, imports: ['core', 'database'] },
  'adapters/streaming': { floor: 2, pattern: /^adapters\/streaming\//, imports: ['core', 'database'] },
  context: { floor: 3, pattern: /^(context|host|settings)\.ts$/, imports: ['core', 'wire', 'database', 'adapters/*'] },
  files: { floor: 3, pattern: /^files\//, imports: ['core'] },
  'flows/steps': { floor: 4, pattern: /^flows\/steps\//, imports: ['core', 'database', 'context', 'files'], apart: true },
  'flows/gate': { floor: 4, pattern: /^flows\/gate\//, imports: ['core', 'database', 'context', 'files', 'flows/steps'] },
  'flows/checks': { floor: 4, pattern: /^flows\/checks\//, imports: ['core', 'database', 'context'] },
  flows: {
    floor: 4,
    pattern: /^flows\//,
    imports: ['core', 'database', 'context', 'files', 'flows/steps', 'flows/gate', 'flows/checks'],
    apart: true,
  },
  'doors/http': { floor: 5, pattern: /^doors\/http\//, imports: ['core', 'wire', 'context', 'flows'] },
  'doors/worker': { floor: 5, pattern: /^doors\/worker\//, imports: ['core', 'wire', 'context', 'flows'] },
  'doors/html': { floor: 5, pattern: /^doors\/html\//, imports: ['core', 'wire', 'context', 'flows'] },
  rindle: {
    floor: 6,
    pattern: /^rindle\.ts$/,
    imports: ['core', 'wire', 'database', 'adapters/*', 'context', 'files', 'flows', 'doors/http', 'doors/worker', 'doors/html'],
  },
  'doors/cli': { floor: 7, pattern: /^doors\/cli\//, imports: ['*'] },
  testing: { floor: 7, pattern: /^testing\//, imports: ['*'] },
  entries: { floor: 7, pattern: /^[a-z0-9-]+\.ts$/, imports: ['*'] },
  browser: { floor: 7, pattern: /^browser\//, imports: ['wire'] },
}

/** Each package is known to one family of files; kysely also to the queue, which carries its statements to our connection. */
const packages: Readonly<Record<string, RegExp>> = {
  uuid: /^core\/ids\.ts$/,
  kysely: /^(database|adapters\/queue)\//,
  pg: /^database\//,
  '@electric-sql/pglite': /^(database\/|pglite\.ts)/,
  'pg-boss': /^adapters\/queue\//,
  '@aws-sdk/client-s3': /^adapters\/storage\/s3(\.|\/)/,
  sharp: /^adapters\/processing\//,
  thumbhash: /^(adapters\/processing|wire)\//,
  'file-type': /^adapters\/processing\//,
  hono: /^doors\/http\//,
  commander: /^doors\/cli\//,
}

const sources = readSources().filter(({ isTest }) => !isTest)

function roomOf(name: string): string {
  return Object.keys(rooms).find((room) => rooms[room]!.pattern.test(name)) ?? 'nowhere'
}

function judge(source: Source, found: Import): string | null {
  if (found.target === null) return null
  const here = roomOf(source.name)
  const there = roomOf(found.target)
  // A flow's options may be named by a step; rindle.ts writes down such types and binds no step.
  if (here === 'rindle' && there === 'flows/steps') return found.typesOnly ? null : 'rindle binds no steps'
  const { floor, imports, apart } = rooms[here] ?? { floor: -1, imports: [] }
  if (here === there) return apart ? `${here} do not import one another` : null
  const named = imports.some((room) => room === there || room === '*' || (room.endsWith('/*') && there.startsWith(room.slice(0, -1))))
  const below = (rooms[there]?.floor ?? Infinity) <= floor && there !== 'browser'
  return named && below ? null : `${here} may not import ${there}`
}

describe('the floors', () => {
  it('have a room for every file', () => {
    assert.deepEqual(
      sources.filter(({ name }) => roomOf(name) === 'nowhere').map(({ name }) => name),
      [],
    )
  })

  for (const room of Object.keys(rooms)) {
    it(`${room} imports only what its floor may`, () => {
      const places = sources
        .filter(({ name }) => roomOf(name) === room)
        .flatMap((source) =>
          importsOf(source).map((found) => ({ complaint: judge(source, found), place: `${source.name}:${found.line} ${found.specifier}` })),
        )
      assert.deepEqual(
        places.filter(({ complaint }) => complaint !== null).map(({ place, complaint }) => `${place}: ${complaint}`),
        [],
      )
    })
  }

  it('lead no file back to itself, types included', () => {
    const imports = new Map(sources.map((source) => [source.name, importsOf(source).map(({ target }) => target)]))
    const seen = new Set<string>()
    const circles: string[] = []
    const follow = (name: string, path: readonly string[]) => {
      if (path.includes(name)) circles.push([...path.slice(path.indexOf(name)), name].join(' → '))
      if (seen.has(name)) return
      seen.add(name)
      for (const target of imports.get(name) ?? []) if (target !== null) follow(target, [...path, name])
    }
    for (const { name } of sources) follow(name, [])
    assert.deepEqual(circles, [])
  })

  it('import relative files by their full name', () => {
    const short = sources.flatMap((source) =>
      importsOf(source)
        .filter(({ target }) => target !== null && !/\.tsx?$/.test(target))
        .map(({ specifier, line }) => `${source.name}:${line} ${specifier}`),
    )
    assert.deepEqual(short, [])
  })
})

describe('packages', () => {
  it('are each imported by one family of files', () => {
    const strangers = sources.flatMap((source) =>
      importsOf(source).flatMap(({ specifier, line }) => {
        const name = packageOf(specifier)
        if (name === null || packages[name]?.test(source.name)) return []
        return [`${source.name}:${line} ${name}${packages[name] ? ` belongs to ${packages[name]}` : ' is in no list'}`]
      }),
    )
    assert.deepEqual(strangers, [])
  })
})

describe('purity', () => {
  const node = (source: Source) => importsOf(source).filter(({ specifier }) => specifier.startsWith('node:'))

  it('core takes nothing of Node.js but crypto', () => {
    const found = sources
      .filter(({ name }) => name.startsWith('core/'))
      .flatMap((source) =>
        node(source)
          .filter(({ specifier }) => specifier !== 'node:crypto')
          .map(({ specifier, line }) => `${source.name}:${line} ${specifier}`),
      )
    assert.deepEqual(found, [])
  })

  it('wire and browser load in a browser', () => {
    const found = sources
      .filter(({ name }) => /^(wire|browser)\//.test(name))
      .flatMap((source) => node(source).map(({ specifier, line }) => `${source.name}:${line} ${specifier}`))
    assert.deepEqual(found, [])
  })

  it('flows open no socket and start no process', () => {
    const outside = /^node:(net|http|https|http2|tls|dgram|child_process|worker_threads)$/
    const found = sources
      .filter(({ name }) => name.startsWith('flows/'))
      .flatMap((source) =>
        node(source)
          .filter(({ specifier }) => outside.test(specifier))
          .map(({ specifier, line }) => `${source.name}:${line} ${specifier}`),
      )
    assert.deepEqual(found, [])
  })

  it('flows know no request and no response', () => {
    const http = new Set(['Request', 'Response', 'IncomingMessage', 'ServerResponse', 'fetch'])
    const flows = sources.filter(({ name }) => name.startsWith('flows/'))
    assert.deepEqual(
      offences(flows, (found) =>
        ts.isIdentifier(found) && http.has(found.text) && !ts.isPropertyAccessExpression(found.parent) ? found.text : null,
      ),
      [],
    )
  })
})
