import type { Coordinate, PathsAnswer } from '@nimbus-analytics/sdk';
import { number, percent } from '../format';
import { Button } from '../ui';
import { PathsQuestion } from './ask/PathsQuestion';
import { behaviourOf } from './Behaviour';
import { NumberButton } from './charts/NumberButton';
import { Sankey } from './charts/Sankey';
import { groupOf, partsOf, usePart } from './groups';
import type { AnswerProps, Cells } from './kind';
import { w } from './messages';
import { parseInsight, type InsightState, type PathsState } from './state';
import { valueText } from './text';

const stepName = (answer: Pick<PathsAnswer, 'backwards'>) => (step: number) => (answer.backwards ? w.paths.back(step - 1) : w.paths.step(step));
const nodeAt = (step: number, node: string | undefined): Coordinate => (node === undefined ? { step, other: true } : { step, node });

type Drawn = Omit<PathsAnswer, 'groups' | 'other'>;

function Answer({ answer: all, title, open: openAt, tile }: AnswerProps<PathsState, PathsAnswer>) {
  const [part, choice] = usePart(partsOf<Pick<PathsAnswer, 'paths' | 'longer' | 'steps' | 'links'>>(all));
  const answer: Drawn = { backwards: all.backwards, meta: all.meta, ...part.of };
  const open = (at: Coordinate) => openAt({ ...part.at, ...at });
  const name = stepName(answer);
  return (
    <>
      {!tile && choice}
      <div className="big">
        <span className="num">{number(answer.paths)}</span>
        <span className="muted small">{[w.paths.pathsWord(answer.paths), answer.longer > 0 && w.paths.longer(answer.longer, number(answer.longer))].filter(Boolean).join(' · ')}</span>
      </div>
      <Sankey
        label={title}
        answer={answer}
        stepName={name}
        says={(n) => w.paths.at(n.value === undefined ? w.paths.other : valueText(n.value), name(n.step))}
        onOpen={(n) => open(nodeAt(n.step, n.value === undefined ? undefined : String(n.value)))}
      />
      {!tile && <div className="scroll-x buckets" tabIndex={0} role="group" aria-label={w.table}>
        <table className="table compact nodes">
          <thead><tr><th>{w.paths.stepHead}</th><th>{w.paths.node}</th><th className="right">{w.paths.count}</th><th className="right">{w.paths.share}</th><th className="right">{w.paths.dropOff}</th></tr></thead>
          <tbody>
            {listed(answer).map((n) => (
              <tr key={`${n.step} ${n.node ?? ''}`}>
                <td className="muted nowrap">{name(n.step)}</td>
                <td className="wrap-any">{n.node ?? w.paths.other}</td>
                <td className="right"><NumberButton value={n.count} says={w.paths.at(n.node ?? w.paths.other, name(n.step))} onOpen={() => open(nodeAt(n.step, n.node))} /></td>
                <td className="right muted">{percent(n.count / Math.max(1, answer.paths))}</td>
                <td className="right muted">{n.dropOff === undefined ? '' : number(n.dropOff)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>}
    </>
  );
}

const listed = (answer: Drawn) =>
  answer.steps.flatMap((s) => [
    ...s.nodes.map((n) => ({ step: s.step, node: valueText(n.node) as string | undefined, count: n.count, dropOff: n.drop_off as number | undefined })),
    ...(s.other > 0 ? [{ step: s.step, node: undefined, count: s.other, dropOff: undefined }] : []),
  ]);

function rows(_: PathsState, answer: PathsAnswer): Cells {
  return [
    [w.paths.stepHead, w.paths.node, w.paths.next, w.paths.count],
    ...listed(answer).map((n) => [n.step, n.node ?? w.paths.other, null, n.count]),
    ...answer.links.map((link) => [link.step, valueText(link.from), valueText(link.to), link.count]),
  ];
}

/** What a node of paths may become: a step of a funnel, an end of other paths, or nothing. */
function Actions({ state, at, go }: { state: PathsState; at: Coordinate; go: (to: InsightState) => void }) {
  const { node } = at;
  if (node === undefined) return null;
  const { at: _, ...rest } = state;
  const named = state.node ? { node } : { event: node };
  const asStep = state.node ? { filter: { op: 'eq', prop: state.node, value: node } } : { event: node };
  const first = state.start && !state.start.node ? state.start : undefined;
  const { range, from, to, tz, filter } = state;
  return (
    <>
      <Button className="tiny" onClick={() => go(parseInsight({ kind: 'funnel', range, from, to, tz, filter, steps: first && at.step !== 1 ? [first, asStep] : [asStep, {}] }))}>{w.paths.funnel}</Button>
      <Button className="tiny" onClick={() => go({ ...rest, start: named })}>{w.paths.after}</Button>
      <Button className="tiny" onClick={() => go({ ...rest, end: named })}>{w.paths.before}</Button>
      <Button className="tiny" onClick={() => go({ ...rest, exclude: [...new Set([...(state.exclude ?? []), node])] })}>{w.paths.leave}</Button>
    </>
  );
}

export default behaviourOf<PathsState, PathsAnswer>({
  Question: PathsQuestion,
  Answer,
  isEmpty: (answer) => answer.paths === 0,
  rows,
  behind: (_, answer, at) => [groupOf(at), w.paths.at(at.node ?? w.paths.other, stepName(answer)(at.step ?? 1))].filter(Boolean).join(': '),
  again: (state) => state.count !== undefined,
  actions: (state, at, go) => <Actions state={state} at={at} go={go} />,
});
