/** Something that grants access. Printing, logging or serialising it shows that it is there, never what it is. */
export interface Secret<T> {
  /** The value itself, for the one place that needs it. */
  reveal(): T
  toString(): string
  toJSON(): string
}

const mask = '[secret]'
const inspectHook = Symbol.for('nodejs.util.inspect.custom')

/** Wraps `value` so that it cannot be printed by accident. */
export const secret = <T>(value: T): Secret<T> =>
  Object.freeze({
    reveal: () => value,
    toString: () => mask,
    toJSON: () => mask,
    [inspectHook]: () => mask,
  })
