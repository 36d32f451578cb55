/** What each kind of question brings: its sentence, its answer, its table as a file, and how one number of it is called. */
import type { Coordinate, Insight } from '@nimbus-analytics/sdk';
import type { ComponentType, ReactNode } from 'react';
import type { Series } from '../charts/series';
import type { InsightState } from './state';

export type Set<S> = (change: { [K in keyof S]?: S[K] | undefined }) => void;
export type Cells = (string | number | null)[][];

export interface AnswerProps<S, A> {
  state: S;
  answer: A;
  body: Insight;
  title: string;
  set: Set<S>;
  /** Shows the people behind a number. */
  open: (at: Coordinate) => void;
  /** On a board, the height of the drawing: nothing is chosen there, and no table stands below. */
  tile?: number | undefined;
}

export interface KindView<S, A> {
  Question: ComponentType<{ state: S; set: Set<S> }>;
  Answer: ComponentType<AnswerProps<S, A>>;
  isEmpty: (answer: A, state: S) => boolean;
  rows: (state: S, answer: A, title: string) => Cells;
  /** The lines and bars of the drawing, where there are several: a picture of it names them. */
  legend?: (answer: A, state: S) => readonly Pick<Series, 'label' | 'color'>[];
  /** What the people behind a number did. */
  behind: (state: S, answer: A, at: Coordinate) => string;
  /** What is missing while the question cannot be asked. */
  incomplete?: { title: string; text: string };
  /** Whether a person may be behind a number more than once. */
  again?: (state: S) => boolean;
  /** What can be done with a number besides looking at its people. */
  actions?: (state: S, at: Coordinate, go: (to: InsightState) => void) => ReactNode;
}
