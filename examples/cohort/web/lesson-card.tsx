import { useState } from 'react'
import { type Lesson, makeAgain, removeLesson, stopMaking } from './api.ts'
import { clockOf, Player } from './player.tsx'
import { Step } from './step.tsx'
import type { Progress } from './use-lessons.ts'

interface LessonCardProps {
  readonly lesson: Lesson
  readonly isMine: boolean
  readonly progress: Progress | null
  readonly onChange: () => Promise<void>
  readonly onRemoved: () => Promise<void>
}

export function LessonCard({ lesson, isMine, progress, onChange, onRemoved }: LessonCardProps) {
  const { id, title, standing, kind, durationMs, memberName } = lesson
  return (
    <article className="lesson" aria-labelledby={`title-${id}`} data-standing={standing} data-kind={kind ?? ''}>
      <Player lesson={lesson} />
      <div className="about">
        <div>
          <h3 id={`title-${id}`}>{title}</h3>
          <p className="role">
            {memberName}
            {durationMs !== null && ` · ${clockOf(durationMs / 1000)}`}
            {isMine && <span className="you">yours</span>}
          </p>
        </div>
        {isMine && <Choices lesson={lesson} onChange={onChange} onRemoved={onRemoved} />}
      </div>
      <Way lesson={lesson} progress={progress} />
      {isMine && (
        <p className="unseen" role="status" aria-live="polite">
          {spoken(lesson, progress)}
        </p>
      )}
    </article>
  )
}

/** What its member can do about it. The first button stays where it is and changes its words, so that the focus stays on it. */
function Choices({ lesson: { id, title, standing }, onChange, onRemoved }: Pick<LessonCardProps, 'lesson' | 'onChange' | 'onRemoved'>) {
  const [problem, setProblem] = useState<string | null>(null)
  const act = async (does: Promise<unknown>, then: () => Promise<void>) => {
    try {
      await does
      setProblem(null)
    } catch (err) {
      setProblem(err instanceof Error ? err.message : 'Something failed. Try again.')
    }
    await then()
  }
  const isMaking = standing === 'making'
  const isUnfinished = standing === 'stopped' || standing === 'failed'
  return (
    <div className="choices">
      {(isMaking || isUnfinished) && (
        <button
          type="button"
          className="quiet"
          data-does={isMaking ? 'stop' : 'make'}
          aria-describedby={`title-${id}`}
          onClick={() => void act(isMaking ? stopMaking(id) : makeAgain(id), onChange)}
        >
          {isMaking ? 'Stop' : 'Make it again'}
        </button>
      )}
      <button
        type="button"
        className="quiet"
        data-does="remove"
        aria-label={`Remove ${title}`}
        onClick={() => void act(removeLesson(id), onRemoved)}
      >
        Remove
      </button>
      {problem && (
        <p className="problem" role="alert">
          {problem}
        </p>
      )}
    </div>
  )
}

function Way({ lesson: { standing, kind, problem }, progress }: Pick<LessonCardProps, 'lesson' | 'progress'>) {
  switch (standing) {
    case 'ready':
      return null
    case 'checking':
      return (
        <div className="way">
          <Step label="Checking the file" percent={null} done={false} />
        </div>
      )
    case 'making':
      return (
        <div className="way">
          <Step label={kind === 'audio' ? 'Making the sound' : 'Making the film'} percent={progress?.percent ?? 0} done={false} />
          <ul className="parts">
            {progress?.parts.map(({ name, state, percent }) => (
              <li key={name} data-part={name} data-state={state}>
                {partNames[name] ?? name} <span>{state === 'ready' ? '✓' : `${percent} %`}</span>
              </li>
            ))}
          </ul>
        </div>
      )
    case 'stopped':
      return <p className="way said">Stopped before all of it was made.</p>
    default:
      return <p className="way refused">{problem}</p>
  }
}

const partNames: Readonly<Record<string, string>> = { web_720p: 'Film', poster: 'Poster', scrub_strip: 'Thumbnails', sound: 'Sound' }

/** Every quarter is told, not every percent. */
const spoken = ({ title, standing, problem }: Lesson, progress: Progress | null): string => {
  switch (standing) {
    case 'checking':
      return `${title} is being checked.`
    case 'making':
      return `${title} is being made: ${Math.floor((progress?.percent ?? 0) / 25) * 25} percent.`
    case 'stopped':
      return `The making of ${title} was stopped.`
    case 'ready':
      return `${title} is ready.`
    default:
      return `${title}: ${problem}`
  }
}
