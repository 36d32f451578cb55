package io.github.bahagh.nimbus

import java.time.Instant
import java.util.concurrent.locks.Condition

/** The time, and waiting for it: a test has a clock of its own. */
internal interface Clock {
    fun now(): Instant

    /** Of a clock that only goes forward. */
    fun nanos(): Long

    /** Waits for a signal, for so long at most, or returns before. The caller holds the condition's lock. */
    fun await(condition: Condition, nanos: Long)

    object System : Clock {
        override fun now(): Instant = Instant.now()

        override fun nanos(): Long = java.lang.System.nanoTime()

        override fun await(condition: Condition, nanos: Long) {
            condition.awaitNanos(nanos)
        }
    }
}
