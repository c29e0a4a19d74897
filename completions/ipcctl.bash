# SPDX-License-Identifier: MIT
# Completion of ipcctl for bash. All that is known stands in `ipcctl __complete`;
# here is only what bash itself needs. Uses bash-completion.

_ipcctl() {
	local cur words cword at line candidate quoted option breaks i offered=
	# What follows -- of create is a command with arguments of its own.
	for ((i = 1; i < COMP_CWORD; i++)); do [[ ${COMP_WORDS[i]} == -- ]] && break; done
	[[ $i -lt $COMP_CWORD && " ${COMP_WORDS[*]:1:i}" =~ \ (create|mk)\  ]] && _command_offset $((i + 1)) && return
	_get_comp_words_by_ref -n := cur words cword || return
	at=("${words[@]:1:cword}")
	# --option=value is completed as the value of --option.
	option=
	if [[ $cur == --*=* ]]; then
		option=${cur%%=*}=
		at=("${words[@]:1:cword-1}" "${option%=}" "${cur#*=}")
	fi
	COMPREPLY=()
	while IFS= read -r line; do
		offered=1
		candidate=${line%%$'\t'*}
		printf -v quoted %q "$candidate"
		quoted=${quoted//\\,/,} # needs no quoting; lists of fields are full of them
		candidate=$option$candidate quoted=$option$quoted
		# What was typed may be quoted in part: either spelling will do.
		if [[ $quoted == "$cur"* || $candidate == "$cur"* ]]; then
			COMPREPLY+=("$quoted")
		fi
	done < <("${words[0]}" __complete -- "${at[@]}" 2>/dev/null)
	[[ $offered ]] || compopt -o default
	compopt -o nosort 2>/dev/null
	[[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *: ]] && compopt -o nospace
	# bash replaces only what stands behind the last of its word breaks.
	breaks=${COMP_WORDBREAKS//[^:=]/}
	[[ $breaks && $cur == *["$breaks"]* ]] && COMPREPLY=("${COMPREPLY[@]#"${cur%"${cur##*["$breaks"]}"}"}")
	return 0
}

complete -F _ipcctl ipcctl
