import { useRef } from 'react'
import { AddLesson } from './add-lesson.tsx'
import type { Roster } from './api.ts'
import { LessonCard } from './lesson-card.tsx'
import { useLessons } from './use-lessons.ts'

export function LessonsPage({ roster }: { roster: Roster }) {
  const { lessons, progress, problem, refresh } = useLessons()
  const title = useRef<HTMLHeadingElement>(null)
  return (
    <div className="columns">
      <AddLesson partsFromBytes={roster.uploads.partsFromBytes} onAdded={refresh} />
      <section id="content" aria-labelledby="lessons-title">
        <h2 id="lessons-title" ref={title} tabIndex={-1}>
          Lessons <span className="count">{lessons?.length ?? ''}</span>
        </h2>
        {problem && (
          <p className="problem" role="alert">
            {problem}
          </p>
        )}
        {lessons?.length === 0 && <p className="empty">None yet. The first one that you add stands here, and you see how far it is.</p>}
        <ul className="lessons">
          {lessons?.map((lesson) => (
            <li key={lesson.id}>
              <LessonCard
                lesson={lesson}
                isMine={lesson.memberId === roster.me}
                progress={progress[lesson.assetId] ?? null}
                onChange={refresh}
                onRemoved={async () => {
                  await refresh()
                  title.current?.focus()
                }}
              />
            </li>
          ))}
        </ul>
      </section>
    </div>
  )
}
