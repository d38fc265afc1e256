import type { Member, Roster } from './api.ts'
import { AvatarCard } from './avatar-card.tsx'
import { Portrait } from './portrait.tsx'

export function MembersPage({ roster, onChange }: { roster: Roster; onChange: () => Promise<void> }) {
  const me = roster.members.find((member) => member.id === roster.me)
  return (
    <div className="columns">
      {me && <AvatarCard member={me} partsFromBytes={roster.uploads.partsFromBytes} onChange={onChange} />}
      <section id="content" aria-labelledby="members-title">
        <h2 id="members-title">
          Members <span className="count">{roster.members.length}</span>
        </h2>
        <ul className="members">
          {roster.members.map((member) => (
            <MemberRow key={member.id} member={member} isMe={member.id === roster.me} />
          ))}
        </ul>
      </section>
    </div>
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
