import { useCallback, useEffect, useState } from 'react'
import { fetchRoster, type Member, type Roster } from './api.ts'
import { AvatarCard } from './avatar-card.tsx'
import { Portrait } from './portrait.tsx'

/** Signed addresses live for a quarter of an hour; a page left open asks for fresh ones before that. */
const refreshMs = 10 * 60_000

export function App() {
  const [roster, setRoster] = useState<Roster | null>(null)
  const [problem, setProblem] = useState<string | null>(null)

  const refresh = useCallback(async () => {
    try {
      setRoster(await fetchRoster())
      setProblem(null)
    } catch (err) {
      setProblem(err instanceof Error ? err.message : 'The members could not be loaded.')
    }
  }, [])

  useEffect(() => {
    void refresh()
    const timer = setInterval(() => void refresh(), refreshMs)
    return () => clearInterval(timer)
  }, [refresh])

  const me = roster?.members.find((member) => member.id === roster.me)
  return (
    <>
      <a className="skip" href="#members">
        Skip to the members
      </a>
      <header className="bar">
        <p className="brand">
          <span className="mark" aria-hidden="true" />
          Cohort
        </p>
        <nav aria-label="Sections">
          <span>Lessons</span>
          <span aria-current="page">Members</span>
          <span>Discussion</span>
        </nav>
        {me && <Portrait member={me} size="tiny" />}
      </header>
      <main>
        <div className="intro">
          <p className="kicker">Field Recording, autumn term</p>
          <h1>The people you are learning with</h1>
        </div>
        {problem && (
          <p className="problem" role="alert">
            {problem}
          </p>
        )}
        <div className="columns">
          {roster && me && <AvatarCard member={me} partsFromBytes={roster.uploads.partsFromBytes} onChange={refresh} />}
          <section id="members" aria-labelledby="members-title">
            <h2 id="members-title">
              Members <span className="count">{roster?.members.length ?? ''}</span>
            </h2>
            <ul className="members">
              {roster?.members.map((member) => (
                <MemberRow key={member.id} member={member} isMe={member.id === roster.me} />
              ))}
            </ul>
          </section>
        </div>
      </main>
      <footer>
        <p>Pictures are checked before anyone sees them, and served from private addresses that expire.</p>
      </footer>
    </>
  )
}

function MemberRow({ member, isMe }: { member: Member; isMe: boolean }) {
  return (
    <li className={isMe ? 'member me' : 'member'}>
      <Portrait member={member} size="row" />
      <div>
        <p className="name">
          {member.name} {isMe && <span className="you">you</span>}
        </p>
        <p className="role">
          {member.role} · {member.city}
        </p>
      </div>
    </li>
  )
}
