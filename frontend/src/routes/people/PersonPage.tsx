/** One person: what is known, where they came from, which ids are theirs, and what they did. */
import { NimbusError, type Person, type Touch } from '@nimbus-analytics/sdk';
import { getPersonOptions } from '@nimbus-analytics/sdk/react-query';
import { useQuery } from '@tanstack/react-query';
import { Link, useParams } from '@tanstack/react-router';
import { IconArrowLeft, IconUserOff } from '@tabler/icons-react';
import { useState } from 'react';
import { ago, date, dateTime, number } from '../../format';
import { useProject, useTitle } from '../../hooks';
import { idOf, isVisitor } from '../../people/id';
import { p } from '../../people/messages';
import { titleOf, valueOf } from '../../people/who';
import { zonePref } from '../../prefs';
import { CopyButton, Empty, Failure, Skeleton } from '../../ui';
import { Identity } from './Identity';
import { Timeline } from './Timeline';
import './people.css';

export function PersonPage() {
  const { person: named } = useParams({ from: '/app/projects/$projectId/people/$person' });
  const project = useProject()!;
  const query = useQuery(getPersonOptions({ path: { person: named }, query: { project_id: project.id } }));
  const person = query.data;
  const title = person ? titleOf(person.person, person.props) : idOf(named);
  useTitle(title);
  const gone = query.error instanceof NimbusError && query.error.status === 404;
  return (
    <>
      <p className="back"><Link className="row muted small" to="/projects/$projectId/people" params={{ projectId: project.id }}><IconArrowLeft size={15} aria-hidden />{p.person.back}</Link></p>
      {gone ? (
        <section className="panel"><Empty icon={IconUserOff} heading="h1" title={p.person.notFoundTitle(idOf(named))}><p>{p.person.notFoundText}</p></Empty></section>
      ) : (
        <>
          <header className="page-head">
            <h1 className="truncate" title={title}>{title}</h1>
            <div className="row wrap end">
              <CopyButton className="" label={p.person.copyId} text={idOf(person?.person ?? named)} />
              <CopyButton className="" label={p.person.copyLink} text={location.href} />
            </div>
            {person && (title !== idOf(person.person) || isVisitor(person.person)) && <p className="lead mono wrap-any">{idOf(person.person)}</p>}
          </header>
          {query.error ? (
            <Failure error={query.error} retry={() => void query.refetch()} />
          ) : person ? (
            <Profile key={person.person} person={person} named={named} projectId={project.id} />
          ) : (
            <div className="profile"><div className="stack"><Skeleton height={220} /><Skeleton height={140} /></div><Skeleton height={480} /></div>
          )}
        </>
      )}
    </>
  );
}

function Profile({ person, named, projectId }: { person: Person; named: string; projectId: string }) {
  const zone = zonePref.use();
  return (
    <>
      <dl className="figures">
        <div className="panel"><dt>{p.person.lastSeen}</dt><dd {...(person.last_seen && { title: dateTime(person.last_seen, zone) })}>{person.last_seen ? ago(person.last_seen) : p.person.never}</dd></div>
        <div className="panel"><dt>{p.person.firstSeen}</dt><dd {...(person.first_seen && { title: dateTime(person.first_seen, zone) })}>{person.first_seen ? date(person.first_seen, zone) : p.person.never}</dd></div>
        <div className="panel"><dt>{p.person.events}</dt><dd className="num">{number(person.events)}</dd></div>
        <div className="panel"><dt>{p.person.sessions}</dt><dd className="num">{number(person.sessions)}</dd></div>
      </dl>
      <div className="profile">
        <div className="stack about">
          <Props props={person.props} zone={zone} />
          {person.first_touch && <Touches first={person.first_touch} last={person.last_touch} zone={zone} />}
          <Identity person={person} projectId={projectId} zone={zone} />
        </div>
        <Timeline person={person} named={named} projectId={projectId} zone={zone} />
      </div>
    </>
  );
}

const many = 12;

function Props({ props, zone }: { props: Record<string, unknown>; zone: string }) {
  const [text, setText] = useState('');
  const all = Object.entries(props).sort(([a], [b]) => (a < b ? -1 : 1));
  const found = all.filter(([name, value]) => `${name} ${valueOf(value, zone)}`.toLowerCase().includes(text.trim().toLowerCase()));
  return (
    <section className="panel" aria-labelledby="profile-props">
      <header><h2 id="profile-props">{p.person.props}</h2></header>
      <div className="body stack tight">
        {all.length > many && <input className="input" type="search" aria-label={p.person.propsFind} placeholder={p.person.propsFind} value={text} onChange={(e) => setText(e.target.value)} />}
        {all.length === 0 ? (
          <p className="muted">{p.person.noProps}</p>
        ) : (
          <dl className="facts">
            {found.map(([name, value]) => (
              <div key={name} className="fact"><dt className="wrap-any">{name}</dt><dd className="wrap-any" title={typeof value === 'string' ? value : JSON.stringify(value)}>{valueOf(value, zone)}</dd></div>
            ))}
          </dl>
        )}
      </div>
    </section>
  );
}

function Touches({ first, last, zone }: { first: Touch; last: Touch | undefined; zone: string }) {
  return (
    <section className="panel" aria-labelledby="profile-touches">
      <header><h2 id="profile-touches">{p.person.touches}</h2></header>
      <div className="body stack">
        <TouchFacts title={p.person.first} touch={first} zone={zone} />
        {last && last.ts !== first.ts && <TouchFacts title={p.person.last} touch={last} zone={zone} />}
      </div>
    </section>
  );
}

function TouchFacts({ title, touch, zone }: { title: string; touch: Touch; zone: string }) {
  const said = (Object.keys(p.person.touch) as (keyof typeof p.person.touch)[]).filter((name) => touch[name]);
  return (
    <div className="stack tight">
      <h3 className="row">{title}<span className="muted small end" title={dateTime(touch.ts, zone)}>{date(touch.ts, zone)}</span></h3>
      {said.length === 0 ? (
        <p className="muted">{p.person.direct}</p>
      ) : (
        <dl className="facts">
          {said.map((name) => <div key={name} className="fact"><dt>{p.person.touch[name]}</dt><dd className="wrap-any">{touch[name]}</dd></div>)}
        </dl>
      )}
    </div>
  );
}
