/** Edits who is meant, as sentences whose words are buttons: a line for each condition, and groups of them. */
import { listCustomEventsOptions } from '@nimbus-analytics/sdk/react-query';
import { useQuery } from '@tanstack/react-query';
import { IconPlus, IconX } from '@tabler/icons-react';
import { useCohorts, useProjectId } from '../hooks';
import { EventPicker, Where, WindowChoice } from '../insights/ask/parts';
import { usual } from '../insights/state';
import { IconButton } from '../ui';
import { Choice, Picker, type Option } from '../ui/Picker';
import { asGroup, negated, simple, type Draft, type Group, type Leaf } from './clause';
import { p } from './messages';
import { OftenWords, WithinChoice } from './parts';
import './people.css';

type Change<T> = (next: T | undefined) => void;
type Verb = keyof typeof p.clause.verbs;

const c = p.clause;
const mostOfGroup = 20;
const deepest = 6; // the server takes 8, and a `not` is one, too

export function ClauseEditor({ where, onChange, own }: { where: Draft | undefined; onChange: Change<Draft>; own?: string }) {
  return (
    <div role="group" aria-label={c.label} className="clauses">
      <GroupLines group={asGroup(where)} onChange={(next) => onChange(simple(next))} own={own} depth={1} />
    </div>
  );
}

function GroupLines({ group, onChange, own, depth }: { group: Group | undefined; onChange: Change<Group>; own: string | undefined; depth: number }) {
  const clauses = group?.clauses ?? [];
  const change = (i: number, next: Draft | undefined) => {
    const rest = next ? clauses.map((clause, k) => (k === i ? next : clause)) : clauses.filter((_, k) => k !== i);
    onChange(rest.length > 0 ? { op: group!.op, clauses: rest } : undefined);
  };
  const add = (clause: Draft) => onChange({ op: group?.op ?? 'and', clauses: [...clauses, clause] });
  return (
    <>
      {clauses.map((clause, i) => (
        // A condition has no id: its position is its key.
        <div key={i} className="clause">
          <span className="joiner">
            {i === 0 ? (depth === 1 ? c.who : c.whoOf) : <Choice label={c.join} value={group!.op} options={Object.entries(c.joins) as [Group['op'], string][]} onChange={(op) => onChange({ op, clauses })} />}
          </span>
          <Line clause={clause} nth={i + 1} onChange={(next) => change(i, next)} own={own} depth={depth} />
        </div>
      ))}
      {clauses.length < mostOfGroup && <Add first={clauses.length === 0} group={depth < deepest && clauses.length > 0} onAdd={add} />}
    </>
  );
}

function Add({ first, group, onAdd }: { first: boolean; group: boolean; onAdd: (clause: Draft) => void }) {
  const options: Option[] = [...Object.entries(c.verbs).map(([value, label]) => ({ value, label: `${label}…` })), ...(group ? [{ value: 'group', label: `${c.group}…` }] : [])];
  return (
    <div className="clause">
      {first && <span className="joiner">{c.who}</span>}
      <Picker label={first ? c.addFirst : c.add} shown={<><IconPlus size={14} aria-hidden /> {first ? c.addFirst : c.add}</>} open options={options} search={c.verb} none={c.noVerb} onPick={(verb) => onAdd(verb === 'group' ? { op: 'or', clauses: [{ op: 'did' }] } : verbed(verb as Verb))} />
    </div>
  );
}

/** A new condition of a kind. */
function verbed(verb: Verb): Draft {
  const [not, op] = verb.startsWith('not ') ? [true, verb.slice('not '.length)] : [false, verb];
  const leaf: Leaf = op === 'sequence' ? { op, steps: [{}, {}] } : op === 'first' ? { op, within: { last_days: 30 } } : { op: op as 'did' | 'profile' | 'in' };
  return not ? negated(leaf) : leaf;
}

/** A condition of another kind keeps what both have. */
function asVerb(leaf: Leaf, verb: Verb): Draft {
  const next = verbed(verb);
  const is = next.op === 'not' ? (next.clause as Leaf) : (next as Leaf);
  if (is.op === leaf.op) return is === next ? leaf : negated(leaf);
  const step = leaf.op === 'did' || leaf.op === 'first' ? { ...(leaf.event !== undefined && { event: leaf.event }), ...(leaf.custom_event !== undefined && { custom_event: leaf.custom_event }), ...(leaf.filter && { filter: leaf.filter }) } : leaf.op === 'sequence' ? leaf.steps[0]! : {};
  const within = 'within' in leaf && leaf.within ? { within: leaf.within } : {};
  const kept = is.op === 'did' || is.op === 'first' ? { ...is, ...step, ...within } : is.op === 'sequence' ? { ...is, steps: [step, {}], ...within } : is;
  return is === next ? kept : negated(kept);
}

function Line({ clause, nth, onChange, own, depth }: { clause: Draft; nth: number; onChange: Change<Draft>; own: string | undefined; depth: number }) {
  const not = clause.op === 'not';
  const inner = not ? clause.clause : clause;
  const said = (next: Draft | undefined) => onChange(next && not ? negated(next) : next);
  const remove = <IconButton className="tiny" label={c.remove(c.line(nth))} icon={IconX} onClick={() => onChange(undefined)} />;
  if (inner.op === 'and' || inner.op === 'or') {
    return (
      <div className="nested grow">
        <div className="row">
          <Choice label={c.verb} value={not ? 'not' : 'fit'} options={Object.entries(c.groupVerbs) as ['fit' | 'not', string][]} onChange={() => onChange(negated(clause))} />
          <span className="end">{remove}</span>
        </div>
        <GroupLines group={inner} onChange={said} own={own} depth={depth + 1} />
      </div>
    );
  }
  const leaf = inner as Leaf; // a `not` of a `not` is nothing, in the parser and here
  return (
    <>
      <div className="sentence grow">
        <Choice label={c.verb} value={(not ? `not ${inner.op}` : inner.op) as Verb} options={Object.entries(c.verbs) as [Verb, string][]} onChange={(verb) => onChange(asVerb(leaf, verb))} />
        <Words leaf={leaf} onChange={said} own={own} />
      </div>
      {remove}
    </>
  );
}

function Words({ leaf, onChange, own }: { leaf: Leaf; onChange: (leaf: Leaf) => void; own: string | undefined }) {
  switch (leaf.op) {
    case 'did':
      return (
        <>
          <EventWords label={c.event} step={leaf} onChange={(step) => onChange({ op: 'did', ...step, ...(leaf.times && { times: leaf.times }), ...(leaf.within && { within: leaf.within }) })} />
          <OftenWords times={leaf.times} onChange={(times) => onChange(without(leaf, 'times', times))} />
          <WithinChoice within={leaf.within} onChange={(within) => onChange(without(leaf, 'within', within))} />
        </>
      );
    case 'first':
      return (
        <>
          <EventWords label={c.event} step={leaf} onChange={(step) => onChange({ op: 'first', ...step, within: leaf.within })} />
          <WithinChoice always within={leaf.within} onChange={(within) => within && onChange({ ...leaf, within })} />
        </>
      );
    case 'sequence':
      return (
        <>
          {leaf.steps.map((step, i) => (
            <span key={i} className="phrase">
              {i > 0 && c.next}
              <EventWords label={c.step(i + 1)} step={step} onChange={(next) => onChange({ ...leaf, steps: leaf.steps.map((x, k) => (k === i ? next : x)) })} />
              {leaf.steps.length > 2 && <IconButton className="tiny" label={c.remove(c.step(i + 1))} icon={IconX} onClick={() => onChange({ ...leaf, steps: leaf.steps.filter((_, k) => k !== i) })} />}
            </span>
          ))}
          {leaf.steps.length < 20 && <IconButton className="tiny" label={c.addStep} icon={IconPlus} onClick={() => onChange({ ...leaf, steps: [...leaf.steps, {}] })} />}
          <span className="phrase">{c.inside}<WindowChoice value={leaf.window_seconds} usually={usual.window} onChange={(seconds) => onChange(without(leaf, 'window_seconds', seconds))} /></span>
          <WithinChoice within={leaf.within} onChange={(within) => onChange(without(leaf, 'within', within))} />
        </>
      );
    case 'profile':
      return <Where about="profiles" label={c.profile} filter={leaf.filter} opened={leaf.filter === undefined} all={c.chooseProfile} onChange={(filter) => onChange({ op: 'profile', ...(filter && { filter }) })} />;
    default:
      return <CohortPicker cohort={leaf.cohort} own={own} onPick={(cohort) => onChange({ op: 'in', cohort })} />;
  }
}

/** With a member of another value; without it when that is undefined. */
function without<T extends object, K extends keyof T>(of: T, name: K, value: T[K] | undefined): T {
  const { [name]: _, ...rest } = of;
  return (value === undefined ? rest : { ...rest, [name]: value }) as T;
}

type Step = { event?: string; custom_event?: string; filter?: Extract<Leaf, { op: 'did' }>['filter'] };

/** An event, or any, with its conditions. */
function EventWords({ label, step: { event, custom_event, filter }, onChange }: { label: string; step: Step; onChange: (step: Step) => void }) {
  if (custom_event !== undefined) return <CustomEvent id={custom_event} onRemove={() => onChange({})} />;
  const wherever = filter && { filter };
  return (
    <span className="phrase">
      <EventPicker label={label} value={event} any={c.anyEvent} onPick={(next) => onChange({ ...(next !== undefined && { event: next }), ...wherever })} />
      <Where label={c.whereOf(label)} filter={filter} onChange={(next) => onChange({ ...(event !== undefined && { event }), ...(next && { filter: next }) })} />
    </span>
  );
}

/** A custom event that somebody else's program put here: it can be seen, and exchanged for another event. */
function CustomEvent({ id, onRemove }: { id: string; onRemove: () => void }) {
  const project_id = useProjectId();
  const name = useQuery(listCustomEventsOptions({ path: { project_id } })).data?.items.find((event) => event.id === id)?.name ?? c.customEvent;
  return <button type="button" className="chip" aria-label={c.remove(name)} onClick={onRemove}><span className="truncate">{name}</span><IconX size={14} aria-hidden /></button>;
}

function CohortPicker({ cohort, own, onPick }: { cohort: string | undefined; own: string | undefined; onPick: (id: string) => void }) {
  const list = useCohorts(useProjectId());
  const cohorts = (list.data?.items ?? []).filter((one) => one.id !== own);
  // A program may have named it; the server keeps the id.
  const shown = cohort === undefined ? c.chooseCohort : list.data ? (cohorts.find((one) => one.id === cohort || one.name === cohort)?.name ?? c.lostCohort) : '…';
  return (
    <span className="phrase">
      <Picker key={String(cohort)} label={c.cohort} shown={shown} open={cohort === undefined} opened={cohort === undefined} options={cohorts.map((one): Option => ({ value: one.id, label: one.name, note: c.kinds[one.kind] }))} search={c.cohort} none={c.noCohort} onPick={onPick} />
    </span>
  );
}
