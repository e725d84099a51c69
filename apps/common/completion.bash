# Completion in bash for every program of the house:  source apps/common/completion.bash
_attn_complete() {
  local program=${COMP_WORDS[0]} word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
  local words
  if ((COMP_CWORD == 1)); then
    words=$("$program" __complete 2>/dev/null)
  elif [[ $before == --* ]]; then
    words=$("$program" __complete "${COMP_WORDS[1]}" "$before" 2>/dev/null)
  elif [[ $word == -* ]]; then
    words=$("$program" __complete "${COMP_WORDS[1]}" 2>/dev/null)
  fi
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
  ((${#COMPREPLY[@]})) || mapfile -t COMPREPLY < <(compgen -f -- "$word")
}
for _attn_program in attn-mil attn-forecast attn-rank attn-gaze attn-vos attn-diffuse; do
  complete -o filenames -F _attn_complete "$_attn_program"
done
unset _attn_program
