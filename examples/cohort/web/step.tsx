/** One step of the way, with its bar. Null percent: it is under way, and nobody knows how far. */
export function Step({ label, percent, done }: { label: string; percent: number | null; done: boolean }) {
  return (
    <div className={done ? 'step done' : 'step'}>
      <p>
        <span>{label}</span>
        <span aria-hidden="true">{done ? '✓' : percent === null ? '' : `${percent} %`}</span>
      </p>
      <div
        className={percent === null ? 'meter waiting' : 'meter'}
        role="progressbar"
        aria-label={label}
        aria-valuemin={0}
        aria-valuemax={100}
        {...(percent === null ? {} : { 'aria-valuenow': percent })}
      >
        <span style={{ inlineSize: `${percent ?? 35}%` }} />
      </div>
    </div>
  )
}
