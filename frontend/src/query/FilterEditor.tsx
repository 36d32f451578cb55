import type { MetricsFilter } from '@nimbus-analytics/sdk';
import { IconPlus, IconX } from '@tabler/icons-react';
import { createContext, use, useId, useState, type KeyboardEvent } from 'react';
import { propPath, useProfileProps, usePropNames, usePropValues } from '../hooks';
import { m } from '../messages';
import { Button, IconButton, isEnter } from '../ui';
import { asGroup, condition, isNumeric, isText, operators, replaced, valueText, without, writeScalar, type Condition, type Group, type Operator } from './filter';
import './query.css';

type Change<T> = (next: T | undefined) => void;

/** What the conditions are about: it decides which properties and values are offered. */
export type About = 'events' | 'profiles';
const Subject = createContext<About>('events');

/** Edits a tree of conditions. `onChange` gets only complete trees; a half-typed condition stays in its fields. */
export function FilterEditor({ filter, onChange, about = 'events' }: { filter: MetricsFilter | undefined; onChange: Change<MetricsFilter>; about?: About }) {
  const list = useId();
  const ofEvents = usePropNames(undefined, about === 'events').all;
  const ofProfiles = useProfileProps(about === 'profiles').map((prop) => propPath(prop.name));
  return (
    <Subject value={about}>
      <div role="group" aria-label={m.explore.filter} className="filter">
        <GroupEditor group={asGroup(filter)} onChange={onChange} list={list} depth={1} />
        <datalist id={list}>
          {(about === 'events' ? ofEvents : ofProfiles).map((name) => (
            <option key={name} value={name} />
          ))}
        </datalist>
      </div>
    </Subject>
  );
}

/** The values that a property is known to have. */
function useValues(prop: string, typed: string) {
  const about = use(Subject);
  const ofEvents = usePropValues(prop, typed, about === 'events');
  const ofProfiles = useProfileProps(about === 'profiles');
  return about === 'events' ? ofEvents : (ofProfiles.find(({ name }) => propPath(name) === prop)?.values ?? []);
}

function GroupEditor({ group, onChange, list, depth }: { group: Group | undefined; onChange: Change<Group>; list: string; depth: number }) {
  const count = group?.filters.length ?? 0;
  const [adding, setAdding] = useState<number>(); // the index of the condition being added, until it is complete
  if (adding !== undefined && adding !== count) setAdding(undefined);
  const children: (MetricsFilter | undefined)[] = [...(group?.filters ?? []), ...(adding === count ? [undefined] : [])];
  const change = (i: number, next: MetricsFilter | undefined) => {
    if (group && i < count) onChange(next ? replaced(group, i, next) : without(group, i));
    else if (next) onChange({ op: 'and', ...group, filters: [...(group?.filters ?? []), next] });
    else setAdding(undefined);
  };
  return (
    <div className={`filter-group ${depth > 1 ? 'nested' : ''}`}>
      {group && (group.filters.length > 1 || depth > 1) && (
        <div className="row">
          <span className="muted small">{m.explore.match}</span>
          <select className="input short" aria-label={m.explore.match} value={group.op} onChange={(e) => onChange({ ...group, op: e.target.value as Group['op'] })}>
            <option value="and">{m.explore.all}</option>
            <option value="or">{m.explore.any}</option>
          </select>
          {depth > 1 && <IconButton className="tiny end" label={m.explore.remove(m.explore.group)} icon={IconX} onClick={() => onChange(undefined)} />}
        </div>
      )}
      {children.map((child, i) => (
        // A condition has no id: its position is its key.
        <NodeEditor key={i} node={child} list={list} depth={depth} onChange={(next) => change(i, next)} />
      ))}
      <div className="row wrap">
        <Button kind="quiet" className="tiny" onClick={() => setAdding(count)} disabled={adding === count}><IconPlus size={15} aria-hidden />{m.explore.addCondition}</Button>
        {group && depth < 4 && isCondition(group.filters.at(-1)!) && (
          <Button kind="quiet" className="tiny" onClick={() => onChange(replaced(group, group.filters.length - 1, { op: 'or', filters: [group.filters.at(-1)!] }))}><IconPlus size={15} aria-hidden />{m.explore.addGroup}</Button>
        )}
      </div>
    </div>
  );
}

const isCondition = (f: MetricsFilter) => f.op !== 'and' && f.op !== 'or' && f.op !== 'not';

function NodeEditor({ node, onChange, list, depth, negated = false }: { node: MetricsFilter | undefined; onChange: Change<MetricsFilter>; list: string; depth: number; negated?: boolean }) {
  if (node?.op === 'not') {
    return (
      <div className="filter-not">
        <button type="button" className="badge" aria-pressed="true" title={m.explore.negate} onClick={() => onChange(node.filter)}>{m.explore.not}</button>
        <div className="grow"><NodeEditor negated node={node.filter} list={list} depth={depth} onChange={(next) => onChange(next && { op: 'not', filter: next })} /></div>
      </div>
    );
  }
  if (node?.op === 'and' || node?.op === 'or') return <GroupEditor group={node as Group} onChange={onChange} list={list} depth={depth + 1} />;
  return <ConditionEditor condition={node as Condition | undefined} negated={negated} onChange={onChange} list={list} />;
}

interface Fields {
  prop: string;
  op: Operator;
  text: string;
}

const fieldsOf = (c: Condition | undefined): Fields => (c ? { prop: c.prop, op: c.op, text: valueText(c) } : { prop: '', op: 'eq', text: '' });
const read = (f: Fields) => condition(f.prop.trim(), f.op, f.text);
const isSame = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b);

function ConditionEditor({ condition: given, negated = false, onChange, list }: { condition: Condition | undefined; negated?: boolean; onChange: Change<MetricsFilter>; list: string }) {
  const [shown, setShown] = useState(given);
  const [fields, setFields] = useState(() => fieldsOf(given));
  if (!isSame(shown, given)) {
    setShown(given);
    setFields(fieldsOf(given));
  }
  const { prop, op, text } = fields;
  const next = read(fields);
  const values = useValues(prop.trim(), text);
  const valueList = useId();
  const commit = (said = fields) => {
    const c = read(said);
    // Untouched fields change nothing, even if parsing them again would give another value.
    if (c && !isSame(said, fieldsOf(given)) && !isSame(c, given)) onChange(c);
  };
  const onKeyDown = (e: KeyboardEvent) => isEnter(e) && commit();
  return (
    <div
      className="condition"
      onBlur={(e) => {
        if (!e.currentTarget.contains(e.relatedTarget)) commit();
      }}
    >
      <input className="input" aria-label={m.explore.prop} placeholder={m.explore.prop} list={list} autoFocus={!given} autoComplete="off" spellCheck={false} value={prop} onChange={(e) => setFields({ ...fields, prop: e.target.value })} onKeyDown={onKeyDown} />
      <select
        className="input"
        aria-label={m.explore.operator}
        value={op}
        onChange={(e) => {
          const said = { ...fields, op: e.target.value as Operator };
          setFields(said);
          commit(said);
        }}
      >
        {operators.map((o) => (
          <option key={o} value={o}>{m.explore.ops[o]}</option>
        ))}
      </select>
      {op !== 'exists' && (
        <input
          className="input"
          aria-label={m.explore.value}
          placeholder={op === 'in' ? m.explore.inHint : m.explore.value}
          list={op === 'in' ? undefined : valueList}
          inputMode={isNumeric(op) ? 'decimal' : undefined}
          aria-invalid={text !== '' && !next && prop !== '' ? true : undefined}
          autoComplete="off"
          value={text}
          onChange={(e) => setFields({ ...fields, text: e.target.value })}
          onKeyDown={onKeyDown}
        />
      )}
      <datalist id={valueList}>
        {values.map((v) => (
          <option key={JSON.stringify(v)} value={isText(op) ? String(v) : writeScalar(v)} />
        ))}
      </datalist>
      <span className="row tail">
        {given && !negated && <Button kind="quiet" className="tiny" title={m.explore.negate} aria-label={m.explore.negate} onClick={() => onChange({ op: 'not', filter: given })}>{m.explore.not}</Button>}
        <IconButton className="tiny" label={m.explore.remove(m.explore.condition)} icon={IconX} onClick={() => onChange(undefined)} />
      </span>
    </div>
  );
}
