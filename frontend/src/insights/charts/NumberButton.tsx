/** A number of a table that opens the people behind it; plain text when there is nobody. */
import { number } from '../../format';
import { w } from '../messages';

export function NumberButton({ value, text = number(value), says, onOpen }: { value: number; text?: string; says: string; onOpen: () => void }) {
  if (value === 0) return <>{text}</>;
  return <button type="button" className="cell" aria-label={w.open(text, says)} onClick={onOpen}>{text}</button>;
}
