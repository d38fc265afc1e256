import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { createRequire } from 'node:module'
import { PrismaPg } from '@prisma/adapter-pg'

const schema = `generator client {
  provider = "prisma-client-js"
  output   = "./client"
}

datasource db {
  provider = "postgresql"
}

model people {
  id   Int    @id
  name String
}
`

export type PrismaTransaction = {
  people: { create(args: { data: { id: number; name: string } }): Promise<unknown> }
  $queryRawUnsafe(text: string, ...values: unknown[]): Promise<unknown>
  $executeRawUnsafe(text: string, ...values: unknown[]): Promise<number>
}

export type PrismaClient = PrismaTransaction & {
  $transaction<T>(run: (tx: PrismaTransaction) => Promise<T>, options?: { isolationLevel?: 'RepeatableRead'; timeout?: number }): Promise<T>
  $disconnect(): Promise<void>
}

/** A Prisma client for a table `people`, as an app would have it. Generated once, without asking anything of the network. */
export function openPrisma(url: string): PrismaClient {
  const require = createRequire(import.meta.url)
  const { PrismaClient: Client } = require(join(generated(), 'client'))
  return new Client({ adapter: new PrismaPg({ connectionString: url }) })
}

function generated(): string {
  const require = createRequire(import.meta.url)
  const prisma = dirname(require.resolve('prisma/package.json'))
  const { version } = require('prisma/package.json')
  const folder = new URL(`../../.cache/prisma-${version}`, import.meta.url).pathname
  if (existsSync(folder)) return folder
  const draft = `${folder}.${process.pid}`
  mkdirSync(draft, { recursive: true })
  writeFileSync(join(draft, 'schema.prisma'), schema)
  const environment = { ...process.env, PRISMA_SCHEMA_ENGINE_BINARY: '/bin/true', CHECKPOINT_DISABLE: '1', PRISMA_HIDE_UPDATE_MESSAGE: '1' }
  execFileSync(process.execPath, [join(prisma, 'build/index.js'), 'generate', '--schema', join(draft, 'schema.prisma')], {
    env: environment,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  try {
    renameSync(draft, folder)
  } catch (error) {
    rmSync(draft, { recursive: true, force: true })
    if (!existsSync(folder)) throw error
  }
  return folder
}
