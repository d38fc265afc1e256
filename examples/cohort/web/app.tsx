import { useCallback, useEffect, useState } from 'react'
import { fetchRoster, type Roster } from './api.ts'
import { LessonsPage } from './lessons-page.tsx'
import { MembersPage } from './members-page.tsx'
import { Portrait } from './portrait.tsx'

/** Signed addresses live for a quarter of an hour; a page left open asks for fresh ones before that. */
const refreshMs = 10 * 60_000

const pages = [
  {
    path: '/lessons',
    name: 'Lessons',
    title: 'Lessons to watch and listen to',
    words:
      'Films and recordings are checked before anyone sees them, made to play everywhere, and served from private addresses that expire.',
    Page: LessonsPage,
  },
  {
    path: '/',
    name: 'Members',
    title: 'The people you are learning with',
    words: 'Pictures are checked before anyone sees them, and served from private addresses that expire.',
    Page: MembersPage,
  },
] as const

export function App({ path }: { path: string }) {
  const [roster, setRoster] = useState<Roster | null>(null)
  const [problem, setProblem] = useState<string | null>(null)
  const { name, title, words, Page } = pages.find((page) => page.path === path) ?? pages[1]

  const refresh = useCallback(async () => {
    try {
      setRoster(await fetchRoster())
      setProblem(null)
    } catch (err) {
      setProblem(err instanceof Error ? err.message : 'The members could not be loaded.')
    }
  }, [])

  useEffect(() => {
    document.title = `${name} · Cohort`
    void refresh()
    const timer = setInterval(() => void refresh(), refreshMs)
    return () => clearInterval(timer)
  }, [refresh, name])

  const me = roster?.members.find((member) => member.id === roster.me)
  return (
    <>
      <a className="skip" href="#content">
        Skip to the {name.toLowerCase()}
      </a>
      <header className="bar">
        <p className="brand">
          <span className="mark" aria-hidden="true" />
          Cohort
        </p>
        <nav aria-label="Sections">
          {pages.map((page) => (
            <a key={page.path} href={page.path} {...(page.name === name ? { 'aria-current': 'page' as const } : {})}>
              {page.name}
            </a>
          ))}
          <span>Discussion</span>
        </nav>
        {me && <Portrait member={me} size="tiny" />}
      </header>
      <main>
        <div className="intro">
          <p className="kicker">Field Recording, autumn term</p>
          <h1>{title}</h1>
        </div>
        {problem && (
          <p className="problem" role="alert">
            {problem}
          </p>
        )}
        {roster && <Page roster={roster} onChange={refresh} />}
      </main>
      <footer>
        <p>{words}</p>
      </footer>
    </>
  )
}
