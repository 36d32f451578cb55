package io.github.bahagh.nimbus

/**
 * Say what happened, and what is known of people and groups. The calls of a [Tracker] say with [Options] of whom they
 * speak; those of a [Visitor] speak of the visitor, unless options say otherwise.
 *
 * Each takes what happened now and returns. Props are written as JSON before the call returns, so that they may be
 * changed afterwards. Their values are those that [Json] writes.
 *
 * They return null, or what kept it from being taken; nothing is sent then: a [RejectedException] for what the server
 * would surely refuse, a [QueueFullException] when there is no room, a [ClosedException] after close. They throw
 * nothing, so that an app does not crash for its analytics; what was not taken is logged, and counted as refused.
 */
public abstract class Calls internal constructor() {
    internal abstract fun event(event: Event): NimbusException?

    internal abstract fun operation(operation: Operation): NimbusException?

    internal abstract fun refuse(why: NimbusException): NimbusException

    internal abstract val register: Register

    /** Queues an event. */
    @JvmOverloads
    public fun track(name: String, props: Map<String, Any?>? = null, options: Options = Options()): NimbusException? =
        event(Event(name, props, options.userId, options.anonymousId, options.ts, options.idempotencyKey, options.seq))

    /** Queues a `$pageview`. */
    @JvmOverloads
    public fun page(props: Map<String, Any?>? = null, options: Options = Options()): NimbusException? = track("\$pageview", props, options)

    /** Queues a `$screen`, that of an app, with its name as the prop `name`. */
    @JvmOverloads
    public fun screen(name: String, props: Map<String, Any?>? = null, options: Options = Options()): NimbusException? =
        track("\$screen", mapOf("name" to name) + props.orEmpty(), options)

    /**
     * Says who a person is. With an anonymous id, that of the options or of the visitor, it links the two: they are
     * one person, now and in the past. Props become properties of the profile.
     */
    @JvmOverloads
    public open fun identify(userId: String, props: Map<String, Any?>? = null, options: Options = Options()): NimbusException? {
        // Beside an anonymous id it would count as absent; who asks to identify it must learn that it names nobody.
        if (nobody(userId)) return refuse(namesNobody("/user_id"))
        return change(Op.SET, props.orEmpty(), options.copy(userId = userId))
    }

    /** Says that another anonymous id, such as that of an app, is the user's too. */
    @JvmOverloads
    public fun alias(userId: String, anonymousId: String, options: Options = Options()): NimbusException? {
        if (nobody(anonymousId)) return refuse(namesNobody("/anonymous_id"))
        if (nobody(userId)) return refuse(namesNobody("/user_id"))
        return change(Op.SET, emptyMap(), options.copy(userId = userId, anonymousId = anonymousId))
    }

    /**
     * Says what is known of a group, such as `group("company", "acme", props)`. Of a [Visitor] it also says that they
     * belong to it: later events have the prop `company`.
     */
    @JvmOverloads
    public open fun group(type: String, key: String, props: Map<String, Any?>? = null, options: Options = Options()): NimbusException? =
        change(Op.SET, props.orEmpty(), options.copy(group = Group(type, key)))

    /** Makes these the person's properties. */
    @JvmOverloads
    public fun setPeople(props: Map<String, Any?>, options: Options = Options()): NimbusException? = change(Op.SET, props, options)

    /** Sets the properties that the person does not have yet. */
    @JvmOverloads
    public fun setPeopleOnce(props: Map<String, Any?>, options: Options = Options()): NimbusException? = change(Op.SET_ONCE, props, options)

    /** Adds to numbers, which begin at 0. */
    @JvmOverloads
    public fun addPeople(props: Map<String, Any?>, options: Options = Options()): NimbusException? = change(Op.ADD, props, options)

    /** Puts a value at the end of a list. */
    @JvmOverloads
    public fun appendPeople(props: Map<String, Any?>, options: Options = Options()): NimbusException? = change(Op.APPEND, props, options)

    /** Adds to a list what it does not have. */
    @JvmOverloads
    public fun unionPeople(props: Map<String, Any?>, options: Options = Options()): NimbusException? = change(Op.UNION, props, options)

    /** Takes out of a list what is equal. */
    @JvmOverloads
    public fun removePeople(props: Map<String, Any?>, options: Options = Options()): NimbusException? = change(Op.REMOVE, props, options)

    /** Takes properties away. */
    @JvmOverloads
    public fun unsetPeople(names: List<String>, options: Options = Options()): NimbusException? = change(Op.UNSET, null, options, names)

    /** Deletes the profile; events stay. */
    @JvmOverloads
    public fun deletePerson(options: Options = Options()): NimbusException? = change(Op.DELETE, null, options)

    /** Gives all later events these props, unless they have their own. */
    public fun register(props: Map<String, Any?>): NimbusException? {
        val fixed = try {
            @Suppress("UNCHECKED_CAST") // an object was written
            Json.parse(Json.write(props)) as Map<String, Any?>
        } catch (e: JsonException) {
            return refuse(RejectedException(listOf(FieldError("/props", "type", e.message.orEmpty()))))
        }
        register.change { it.putAll(fixed) }
        return null
    }

    /** Takes away what [register] gave. */
    public fun unregister(vararg names: String) {
        register.change { it.keys.removeAll(names.toSet()) }
    }

    private fun change(op: Op, props: Map<String, Any?>?, of: Options, names: List<String>? = null): NimbusException? =
        operation(Operation(op, props, of.userId, of.anonymousId, of.group, names, of.ts, of.idempotencyKey))
}

/** The props that events get. */
internal class Register(@Volatile private var props: Map<String, Any?> = emptyMap(), private val keep: (Map<String, Any?>) -> Unit = {}) {
    @Synchronized
    fun change(how: (MutableMap<String, Any?>) -> Unit) {
        props = LinkedHashMap(props).also(how)
        keep(props)
    }

    /** Props with those that are registered below them. */
    fun under(own: Map<String, Any?>?): Map<String, Any?>? = if (props.isEmpty()) own else props + own.orEmpty()
}
