package io.github.bahagh.nimbus

import java.time.Instant

/** Something that happened, as the server stores it. Only [name] is required. */
public data class Event @JvmOverloads constructor(
    /** What happened, 1 to 200 characters. */
    var name: String,
    /** An object of JSON, of at most 32 KiB, nested 8 deep; null for none. */
    var props: Map<String, Any?>? = null,
    /** Who did it, once known. */
    var userId: String? = null,
    /** Who did it, before it is known. */
    var anonymousId: String? = null,
    /** When, to the microsecond, not before 1971; null for the time of the call. */
    var ts: Instant? = null,
    /** Stored once by it, [ts], [name] and person; null for a key of its own. */
    var idempotencyKey: String? = null,
    /** Orders events of the same [ts]. */
    var seq: Long = 0,
)

/** What happens to a profile. */
public enum class Op(
    /** As it is sent. */
    public val value: String,
) {
    /** Make it the value. */
    SET("set"),

    /** Make it the value where there is none. */
    SET_ONCE("set_once"),

    /** Add a number, to 0 where there is none. */
    ADD("add"),

    /** Put it at the end of a list. */
    APPEND("append"),

    /** Add to a list what it does not have. */
    UNION("union"),

    /** Take out of a list what is equal. */
    REMOVE("remove"),

    /** Take properties away. */
    UNSET("unset"),

    /** Take the profile away; events stay. */
    DELETE("delete"),
}

/** Names a group of people, such as a company. */
public data class Group(
    /** What kind of group it is, 1 to 64 characters. */
    val type: String,
    /** Which one of its kind. */
    val key: String,
)

/**
 * Changes what is known of a person or of a group: their profile. It names a person by [userId], by [anonymousId] or
 * by both, which says that they are one person; or it names a [group]. A profile is what all operations on it make in
 * the order of their [ts], whenever they arrive.
 */
public data class Operation @JvmOverloads constructor(
    var op: Op,
    /** An object of JSON, as that of an event; not of [Op.UNSET] and [Op.DELETE]. */
    var props: Map<String, Any?>? = null,
    /** Who it is about, once known. */
    var userId: String? = null,
    /** Who it is about, before it is known. */
    var anonymousId: String? = null,
    /** What it is about instead. */
    var group: Group? = null,
    /** Of [Op.UNSET]: the properties that go, 1 to 100. */
    var names: List<String>? = null,
    /** When it became true; null for the time of the call. */
    var ts: Instant? = null,
    /** Stored once by it, [op] and who or what it is about; null for a key of its own. */
    var idempotencyKey: String? = null,
)

/** Says more of what a call of [Calls] tracks or changes. */
public data class Options @JvmOverloads constructor(
    /** Who did it, or who it is about, once known. An empty id is none. */
    var userId: String? = null,
    /** Who did it, or who it is about, before the user is known. An empty id is none. */
    var anonymousId: String? = null,
    /** The group whose profile a call such as [Calls.addPeople] changes. Events have no group. */
    var group: Group? = null,
    /** When it happened, if it was not just now. */
    var ts: Instant? = null,
    /**
     * Identifies what is tracked, for a program that may track the same thing twice: with the same ts, name, person
     * and key it is stored once. Without it each call is one of its own.
     */
    var idempotencyKey: String? = null,
    /** Orders events of the same ts. Operations have none. */
    var seq: Long = 0,
)
