import { createHash } from 'node:crypto'
import type { Recipe, Recipes } from './recipe.ts'

/**
 * A name for what a recipe says: lower-case hex SHA-256 of its canonical JSON. The order in which keys were written, and the
 * recipes beside it, change nothing; any other difference does.
 *
 * Rows keep it, so it must never change for a recipe that was released: tests pin values.
 */
export const recipeDigest = (recipe: Recipe): string => createHash('sha256').update(canonicalJson(recipe)).digest('hex')

export const recipeDigests = <V extends Recipes>(recipes: V): Readonly<Record<string, string>> =>
  Object.freeze(Object.fromEntries(Object.entries(recipes).map(([name, recipe]) => [name, recipeDigest(recipe)])))

/** JSON without spaces, the keys of every object in code unit order; keys whose value is undefined are absent. */
export const canonicalJson = (value: unknown): string => {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const entries = Object.entries(value).filter(([, member]) => member !== undefined)
  entries.sort(([one], [other]) => (one < other ? -1 : 1))
  return `{${entries.map(([key, member]) => `${JSON.stringify(key)}:${canonicalJson(member)}`).join(',')}}`
}
